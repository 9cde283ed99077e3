// Signing in: by password, passkey or the hospital's own sign-in; then on to the page that was wanted.

import { ask, askKey, busy, canPasskeys, el, field, notice, ownPath, useCsrf, why } from "/static/people-api.js";
import { LANGUAGE, words } from "/static/people-words.js";

const app = document.getElementById("app");
const asked = new URLSearchParams(location.search);
const next = ownPath(asked.get("next"), "/account");
const said = notice();

document.documentElement.lang = LANGUAGE;
document.title = `${words.sign_in} – Alarmhub`;

function goOn() {
  location.replace(next);
}

function entered(answer, password) {
  useCsrf(answer.body.csrf);
  if (answer.body.must_change) replaceForm(answer.body.name, password);
  else goOn();
}

function passwordForm(keep, first) {
  const login = field(words.login, {
    name: "login", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true,
    maxlength: 64,
  });
  const password = field(words.password, {
    name: "password", type: "password", autocomplete: "current-password", required: true, maxlength: 256,
  });
  const button = el("button", { class: first ? "primary wide" : "wide", type: "submit" }, words.sign_in);
  const form = el("form", { novalidate: true, onsubmit: submit }, login.node, password.node, button);

  async function submit(event) {
    event.preventDefault();
    for (const one of [login, password]) one.input.setAttribute("aria-invalid", String(!one.input.value));
    const empty = [login, password].find((one) => !one.input.value);
    if (empty) return empty.input.focus();
    await busy(button, async () => {
      said.say("");
      const body = { login: login.input.value, password: password.input.value, keep: keep.checked };
      const answer = await ask("POST", "/api/v1/session", body);
      if (answer.ok) return entered(answer, body.password);
      said.say(why(answer));
      password.input.select();
      password.input.focus();
    });
  }
  return form;
}

function passkeyButton(keep) {
  const button = el("button", { class: "wide", type: "button", onclick: press }, words.with_passkey);

  async function press() {
    await busy(button, async () => {
      said.say("");
      const options = await ask("POST", "/api/v1/session/passkey-options", {});
      if (!options.ok) return said.say(why(options));
      let credential;
      try {
        credential = await askKey(options.body);
      } catch {
        return said.say(words.errors.cancelled);
      }
      const answer = await ask("POST", "/api/v1/session/passkey", { credential, keep: keep.checked });
      if (answer.ok) return entered(answer, "");
      said.say(why(answer, { wrong: "wrong_passkey" }));
    });
  }
  return button;
}

function hospitalLink(name, keep) {
  const link = el("a", { class: "button primary wide", href: "/sign-in" }, words.with_hospital(name));
  const point = () => {
    link.href = `/oidc/start?${new URLSearchParams({ next, keep: keep.checked ? "1" : "0" })}`;
  };
  keep.addEventListener("change", point);
  point();
  return link;
}

function replaceForm(name, current) {
  const fresh = field(words.new_password, {
    name: "new", type: "password", autocomplete: "new-password", required: true, maxlength: 256,
  }, words.rules);
  const button = el("button", { class: "primary wide", type: "submit" }, words.save);

  async function submit(event) {
    event.preventDefault();
    await busy(button, async () => {
      said.say("");
      const answer = await ask("POST", "/api/v1/me/password", { current, new: fresh.input.value });
      if (answer.ok) return goOn();
      if (answer.status === 401) return location.reload();
      said.say(why(answer, { wrong: "wrong_current" }));
      fresh.input.setAttribute("aria-invalid", "true");
      fresh.input.focus();
    });
  }

  const title = el("h1", { tabindex: "-1" }, words.replace_title);
  app.replaceChildren(
    el("header", {}, title),
    el("section", { class: "card" },
      el("p", {}, words.signed_in_as(name)), el("p", {}, words.replace_why), said.node,
      el("form", { novalidate: true, onsubmit: submit }, fresh.node, button)),
  );
  fresh.input.focus();
}

async function show() {
  const ways = await ask("GET", "/api/v1/session");
  const error = asked.get("error");
  if (ways.ok && ways.body.signed_in && !error) {
    const me = await ask("GET", "/api/v1/me");
    if (me.ok && !me.body.must_change) return goOn();
    // Somebody left between the one-time password and its replacement: it is typed once more.
    if (me.ok) {
      useCsrf(me.body.csrf);
      await ask("DELETE", "/api/v1/session");
    }
  }
  const keep = el("input", { type: "checkbox", name: "keep", "aria-describedby": "keep-more" });
  const parts = [];
  const { local, passkeys, oidc } = ways.ok ? ways.body : { local: true, passkeys: false, oidc: null };
  if (oidc !== null) parts.push(hospitalLink(oidc, keep));
  if (oidc !== null && local) parts.push(el("p", { class: "or" }, words.or));
  if (local) parts.push(passwordForm(keep, oidc === null));
  if (passkeys && canPasskeys) parts.push(passkeyButton(keep));
  app.replaceChildren(
    el("header", {}, el("h1", {}, words.sign_in)),
    el("section", { class: "card", "aria-label": words.sign_in },
      said.node, parts,
      el("label", { class: "choice" }, keep, el("span", {}, words.own_device)),
      el("p", { id: "keep-more", class: "soft" }, words.own_device_more)),
    el("p", { class: "soft" }, words.phones_ring),
  );
  if (!ways.ok) said.say(why(ways));
  else if (error) said.say(typeof words.errors[error] === "string" ? words.errors[error] : words.errors.other);
}

show();
