// One's own account: password, passkeys, signed-in browsers; for administrators everybody's accounts.

import { ask, busy, canPasskeys, el, field, makeKey, notice, useCsrf, why } from "/static/people-api.js";
import { accountsCard } from "/static/account-others.js";
import { phonesCard } from "/static/account-phones.js";
import { LANGUAGE, when, words } from "/static/people-words.js";

const app = document.getElementById("app");

document.documentElement.lang = LANGUAGE;
document.title = `${words.account} – Alarmhub`;

function toSignIn() {
  location.replace("/sign-in?next=/account");
}

function card(title, ...children) {
  return el("section", { class: "card", "aria-label": title }, el("h2", {}, title), children);
}

function grantWords(grant) {
  const [role, unit] = grant.split(":");
  return `${words.role[role] || role}, ${unit || words.everywhere}`;
}

function meCard(me) {
  const said = notice();
  const out = el("button", { type: "button", onclick: () => busy(out, signOut) }, words.sign_out);

  async function signOut() {
    const answer = await ask("DELETE", "/api/v1/session");
    if (!answer.ok && answer.status !== 401) return said.say(why(answer));
    location.replace(answer.body.logout || "/sign-in");
  }

  const roles = me.grants.length ? me.grants.map((grant) => el("li", {}, grantWords(grant))) : [];
  return el("section", { class: "card", "aria-label": words.account },
    el("p", { class: "strong" }, words.signed_in_as(me.name)),
    el("h2", {}, words.roles),
    roles.length ? el("ul", {}, roles) : el("p", {}, words.no_roles),
    said.node,
    el("div", { class: "row" }, el("a", { class: "button", href: "/phone" }, words.to_phone), out));
}

function passwordCard(me) {
  const said = notice();
  const current = field(words.current_password, {
    name: "current", type: "password", autocomplete: "current-password", maxlength: 256,
  });
  const fresh = field(words.new_password, {
    name: "new", type: "password", autocomplete: "new-password", required: true, maxlength: 256,
  }, words.rules);
  const button = el("button", { class: "primary", type: "submit" }, words.save);
  // Password managers ask whose password it is.
  const whose = el("input", { type: "text", name: "username", autocomplete: "username", hidden: true });
  whose.value = me.staff;

  async function submit(event) {
    event.preventDefault();
    await busy(button, async () => {
      said.say("");
      const body = { new: fresh.input.value };
      if (current.input.value) body.current = current.input.value;
      const answer = await ask("POST", "/api/v1/me/password", body);
      if (answer.status === 401) return toSignIn();
      if (!answer.ok) {
        const wrong = answer.body.field === "current" ? current : fresh;
        for (const one of [current, fresh]) one.input.setAttribute("aria-invalid", String(one === wrong));
        wrong.input.focus();
        return said.say(why(answer, { wrong: "wrong_current" }));
      }
      useCsrf(answer.body.csrf);
      for (const one of [current, fresh]) {
        one.input.value = "";
        one.input.removeAttribute("aria-invalid");
      }
      said.say(words.password_changed, "good");
      browsers.load();
    });
  }

  return card(words.change_password,
    el("form", { novalidate: true, onsubmit: submit }, whose, current.node, fresh.node, said.node, button));
}

function passkeysCard() {
  const said = notice();
  const list = el("ul", { class: "rows" });
  const label = field(words.label, { name: "label", maxlength: 60, autocomplete: "off" });
  const add = el("button", { class: "primary", type: "submit" }, words.add_passkey);

  async function load() {
    const answer = await ask("GET", "/api/v1/me/passkeys");
    if (!answer.ok) return said.say(why(answer));
    const rows = answer.body.passkeys.map((one) => el("li", { class: "row" },
      el("div", { class: "what" }, el("span", { class: "strong" }, one.label),
        el("span", { class: "soft" }, one.used_at ? words.used(when(one.used_at)) : words.never_used)),
      el("button", {
        type: "button", "aria-label": words.remove_named(one.label), onclick: () => drop(one.id),
      }, words.remove)));
    list.replaceChildren(...(rows.length ? rows : [el("li", { class: "soft" }, words.no_passkeys)]));
  }

  async function drop(id) {
    const answer = await ask("DELETE", `/api/v1/me/passkeys/${id}`);
    if (!answer.ok) return said.say(why(answer));
    said.say("");
    await load();
  }

  async function submit(event) {
    event.preventDefault();
    await busy(add, async () => {
      said.say("");
      const options = await ask("POST", "/api/v1/me/passkey-options", {});
      if (!options.ok) return said.say(why(options));
      let credential;
      try {
        credential = await makeKey(options.body);
      } catch {
        return said.say(words.errors.cancelled);
      }
      const answer = await ask("POST", "/api/v1/me/passkeys", { credential, label: label.input.value });
      if (!answer.ok) return said.say(why(answer));
      label.input.value = "";
      said.say(words.passkey_added, "good");
      await load();
    });
  }

  const form = canPasskeys
    ? el("form", { novalidate: true, onsubmit: submit }, label.node, add)
    : el("p", { class: "soft" }, words.errors.no_passkeys_here);
  load();
  return card(words.passkeys, el("p", { class: "soft" }, words.passkeys_why), list, said.node, form);
}

const browsers = (() => {
  const said = notice();
  const list = el("ul", { class: "rows" });

  async function load() {
    const answer = await ask("GET", "/api/v1/me/sessions");
    if (!answer.ok) return said.say(why(answer));
    list.replaceChildren(...answer.body.sessions.map(row));
  }

  function row(one) {
    const label = one.label || words.unknown_browser;
    const button = el("button", {
      type: "button", "aria-label": words.end_named(label), onclick: () => end(one),
    }, words.end);
    return el("li", { class: "row" },
      el("div", { class: "what" },
        el("span", { class: "strong" }, one.here ? `${words.here} (${label})` : label),
        el("span", { class: "soft" }, `${words.since(when(one.created_at))}, ${words.method[one.method] || ""}`),
        el("span", { class: "soft" }, words.seen(when(one.seen_at)))),
      one.here ? null : button);
  }

  async function end(one) {
    const answer = await ask("DELETE", `/api/v1/sessions/${one.id}`);
    if (!answer.ok && answer.status !== 404) return said.say(why(answer));
    await load();
  }

  return { load, card: () => card(words.browsers, list, said.node) };
})();

async function show() {
  const ways = await ask("GET", "/api/v1/session");
  if (ways.ok && !ways.body.signed_in) return toSignIn();
  const me = await ask("GET", "/api/v1/me");
  if (me.status === 401 || (me.ok && me.body.must_change)) return toSignIn();
  if (!me.ok) {
    const said = notice();
    app.replaceChildren(el("header", {}, el("h1", {}, words.account)), said.node);
    return said.say(why(me));
  }
  useCsrf(me.body.csrf);
  const cards = [meCard(me.body)];
  if (me.body.may.includes("devices.own")) cards.push(phonesCard(card, me.body));
  if (ways.body.local) cards.push(passwordCard(me.body));
  if (ways.body.passkeys) cards.push(passkeysCard());
  cards.push(browsers.card());
  if (me.body.may.includes("accounts.write")) cards.push(accountsCard(card, me.body.staff));
  app.replaceChildren(el("header", {}, el("h1", {}, words.account)), ...cards);
  browsers.load();
}

show();
