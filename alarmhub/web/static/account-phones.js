// One's own phones: a new one by a code to scan, a lost one revoked in one tap; for who may, those of a unit too.

import { ask, busy, el, field, notice, why } from "/static/people-api.js";
import { when, words } from "/static/people-words.js";

export function phonesCard(card, me) {
  const said = notice();
  const shown = el("div", { role: "status", class: "stack" });
  const list = el("ul", { class: "rows" });
  const fresh = el("button", { class: "primary", type: "button", onclick: () => busy(fresh, () => invite({})) }, words.new_phone);
  let unit = "";

  async function load() {
    const answer = await ask("GET", `/api/v1/devices${unit ? `?unit=${encodeURIComponent(unit)}` : ""}`);
    if (!answer.ok) return said.say(why(answer));
    const rows = answer.body.devices.map(row);
    list.replaceChildren(...(rows.length ? rows : [el("li", { class: "soft" }, words.no_phones)]));
  }

  function row(one) {
    const label = one.label || words.a_phone;
    const carried = one.name ? words.carried_by(one.name) : words.carried_by_nobody;
    const button = el("button", {
      type: "button", "aria-label": words.lost_named(label), onclick: () => busy(button, () => revoke(one, label)),
    }, words.lost);
    return el("li", { class: "row" },
      el("div", { class: "what" },
        el("span", { class: "strong" }, one.pool ? `${label} (${words.pool})` : label),
        el("span", { class: "soft" }, `${carried}, ${words.phone_reach[one.reach] || ""}`),
        el("span", { class: "soft" }, words.enrolled(when(one.enrolled_at)))),
      button);
  }

  async function revoke(one, label) {
    const answer = await ask("POST", `/api/v1/devices/${encodeURIComponent(one.device)}/revoke`, {});
    if (!answer.ok && answer.status !== 404) return said.say(why(answer));
    said.say(words.revoked(label), "good");
    await load();
  }

  // The code lives two minutes, and so does its picture.
  async function invite(body) {
    said.say("");
    const answer = await ask("POST", "/api/v1/enrolments", body);
    if (!answer.ok) return said.say(why(answer));
    const { qr, url, expires_at: until } = answer.body;
    const picture = el("img", {
      class: "code", alt: words.code_picture, src: `data:image/svg+xml,${encodeURIComponent(qr)}`,
    });
    const part = [el("p", { class: "strong" }, words.scan), picture,
      el("p", { class: "soft" }, words.scan_more), el("p", { class: "secret small" }, url)];
    shown.replaceChildren(...part);
    setTimeout(() => {
      if (!shown.contains(picture)) return;
      shown.replaceChildren(el("p", {}, words.code_over));
      load();
    }, Math.max(0, Date.parse(until) - Date.now()));
  }

  load();
  return card(words.phones, list, said.node, fresh, shown, ...(me.may.includes("devices.unit") ? drawer() : []));

  function drawer() {
    const which = el("select", { id: "phones-unit", onchange: () => { unit = which.value; load(); } },
      el("option", { value: "" }, words.my_phones), ...me.units.map((id) => el("option", { value: id }, words.of_unit(id))));
    const label = field(words.pool_label, { name: "pool-label", maxlength: 60, autocomplete: "off" });
    const add = el("button", { type: "button", onclick: () => busy(add, pooled) }, words.new_pool_phone);

    async function pooled() {
      if (!unit) {
        which.focus();
        return said.say(words.choose_unit);
      }
      await invite({ pool: true, unit, label: label.input.value });
    }

    return [
      el("label", { for: "phones-unit", class: "strong" }, words.whose_phones), which, label.node, add,
    ];
  }
}
