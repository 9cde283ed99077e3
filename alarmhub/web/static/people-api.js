// Asking the hub, and building what is shown. Nothing a person or the hub says is ever read as HTML.

import { words } from "/static/people-words.js";

let csrf = "";

export function useCsrf(value) {
  csrf = value;
}

// {ok, status, body, wait}: status 0 when the hub cannot be reached.
export async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (csrf && method !== "GET") headers["X-Alarmhub-CSRF"] = csrf;
  try {
    const answer = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin",
      signal: AbortSignal.timeout(20000),
    });
    const said = await answer.json().catch(() => ({}));
    return { ok: answer.ok, status: answer.status, body: said, wait: answer.headers.get("Retry-After") };
  } catch {
    return { ok: false, status: 0, body: {}, wait: null };
  }
}

// What went wrong, in words. `names`: other words for some of the hub's names.
export function why(answer, names = {}) {
  if (answer.status === 0) return words.errors.offline;
  let name = answer.body.error || "";
  if (answer.status === 503) name = "busy";
  name = names[name] || name;
  const said = words.errors[name];
  if (typeof said === "function") return said(answer.wait || "60");
  return said || words.errors.other;
}

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

let fields = 0;

export function field(label, attributes, hint) {
  fields += 1;
  const id = `field-${fields}`;
  const input = el("input", { id, "aria-describedby": hint ? `${id}-hint` : null, ...attributes });
  const parts = [el("label", { for: id, class: "strong" }, label), input];
  if (hint) parts.push(el("p", { id: `${id}-hint`, class: "soft" }, hint));
  return { input, node: el("div", { class: "stack" }, parts) };
}

// A line that a screen reader speaks when it changes.
export function notice() {
  const node = el("div", { role: "alert" });
  return {
    node,
    say(text, kind = "bad") {
      node.replaceChildren(text ? el("p", { class: `banner ${kind}` }, text) : "");
    },
  };
}

// While it works, a form takes no second press.
export async function busy(button, work) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

// Only a path of this very site.
export function ownPath(text, otherwise) {
  if (!text || !text.startsWith("/") || /[\\\s]/.test(text) || text.startsWith("//")) return otherwise;
  return new URL(text, location.origin).origin === location.origin ? text : otherwise;
}

// Passkeys: what the hub says in base64url, browsers want in bytes, and the other way round.

function bytes(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  let plain = "";
  for (const byte of new Uint8Array(buffer)) plain += String.fromCharCode(byte);
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

export const canPasskeys = "PublicKeyCredential" in window && window.isSecureContext;

export async function askKey(options) {
  const wanted = { ...options, challenge: bytes(options.challenge) };
  wanted.allowCredentials = (options.allowCredentials || []).map((one) => ({ ...one, id: bytes(one.id) }));
  return credential(await navigator.credentials.get({ publicKey: wanted }));
}

export async function makeKey(options) {
  const wanted = { ...options, challenge: bytes(options.challenge) };
  wanted.user = { ...options.user, id: bytes(options.user.id) };
  wanted.excludeCredentials = (options.excludeCredentials || []).map((one) => ({ ...one, id: bytes(one.id) }));
  return credential(await navigator.credentials.create({ publicKey: wanted }));
}

function credential(made) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]) response[name] = text(made.response[name]);
  }
  return { id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {} };
}
