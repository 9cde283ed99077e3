// Everybody's accounts, for administrators. A one-time password is shown once, where it was asked for.

import { ask, busy, el, field, notice, why } from "/static/people-api.js";
import { words } from "/static/people-words.js";

export function accountsCard(card, myself) {
  const said = notice();
  const secret = el("div", { role: "status", class: "stack" });
  const list = el("ul", { class: "rows" });
  const person = el("select", { id: "new-person", required: true });
  const login = field(words.login_default, { name: "login", maxlength: 64, autocomplete: "off" });
  const external = field(words.external, { name: "external", maxlength: 128, autocomplete: "off" });
  const add = el("button", { class: "primary", type: "submit" }, words.add);
  const names = {};

  async function load() {
    const answer = await ask("GET", "/api/v1/accounts");
    if (!answer.ok) return said.say(why(answer));
    const { accounts, without } = answer.body;
    for (const one of [...accounts, ...without]) names[one.staff] = one.name || one.staff;
    list.replaceChildren(...accounts.map(row));
    person.replaceChildren(el("option", { value: "" }, words.choose),
      ...without.map((one) => el("option", { value: one.staff }, one.name)));
  }

  function row(one) {
    const name = one.name || one.staff;
    const states = [
      one.disabled_at ? words.disabled : "", one.name ? "" : words.not_of_site,
      one.must_change ? words.must_change : "", one.password ? "" : words.no_password,
    ].filter(Boolean);
    const acts = one.staff === myself ? null : el("div", { class: "acts" },
      twice(words.reset, words.reset_named(name), () => change(one.staff, "reset")),
      one.disabled_at ? null : twice(words.disable, words.disable_named(name), () => change(one.staff, "disable")));
    return el("li", { class: "row" },
      el("div", { class: "what" }, el("span", { class: "strong" }, name),
        el("span", { class: "soft" }, [one.login, ...states].join(", "))),
      acts);
  }

  // What cannot be taken back wants a second press.
  function twice(text, label, act) {
    const button = el("button", { type: "button", "aria-label": label, onclick: press }, text);
    let sure = false;
    async function press() {
      if (!sure) {
        sure = true;
        button.textContent = words.sure;
        button.setAttribute("aria-label", `${words.sure}: ${label}`);
        button.classList.add("danger");
        return;
      }
      await busy(button, act);
    }
    return button;
  }

  async function change(staff, what) {
    const answer = await ask("POST", `/api/v1/accounts/${encodeURIComponent(staff)}/${what}`, {});
    if (!answer.ok) {
      await load();
      return said.say(why(answer));
    }
    if (what === "disable") said.say(words.closed(names[staff]), "good");
    else show(answer.body);
    await load();
  }

  function show(made) {
    said.say("");
    secret.replaceChildren(
      el("p", { class: "strong" }, words.one_time(names[made.staff] || made.staff)),
      el("p", {}, words.login_is(made.login)),
      el("p", { class: "secret" }, made.password),
      el("p", { class: "soft" }, words.one_time_more));
  }

  async function submit(event) {
    event.preventDefault();
    if (!person.value) return person.focus();
    await busy(add, async () => {
      const body = { staff: person.value, login: login.input.value, external: external.input.value };
      const answer = await ask("POST", "/api/v1/accounts", body);
      if (!answer.ok) return said.say(why(answer));
      show(answer.body);
      login.input.value = "";
      external.input.value = "";
      await load();
    });
  }

  load();
  return card(words.accounts, said.node, secret, list,
    el("h3", {}, words.add_account),
    el("form", { novalidate: true, onsubmit: submit },
      el("div", { class: "stack" }, el("label", { for: "new-person", class: "strong" }, words.person), person),
      login.node, external.node, add));
}
