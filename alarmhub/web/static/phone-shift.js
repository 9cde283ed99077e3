// The screens beside the alarms: signing in, enrolment, my shift, more. Pure: from the app's state to elements.

import { h, picture } from "./phone-dom.js";
import { say } from "./phone-words.js";

function page(title, ...children) {
  return h("section", { class: "page", "data-key": title }, h("h1", { tabindex: "-1", id: "page-title" }, title), ...children);
}

function wide(action, words, { className = "", ...data } = {}) {
  const attributes = Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value]));
  return h("button", { class: `wide ${className}`.trim(), "data-do": action, "data-key": action + (data.to ?? ""), ...attributes }, words);
}

function fault(app) {
  return app.fault ? h("p", { class: "banner bad", role: "alert", "data-key": "fault" }, app.fault) : null;
}

// Password here, everything else on the hub's own sign-in page.
export function signIn(app, title = say("sign_in"), ...before) {
  const ways = app.config?.sign_in ?? {};
  return page(title, ...before, fault(app),
    ways.local && h("form", { class: "stack", "data-form": "sign-in", "data-key": "form" },
      h("label", { class: "field" }, say("login"), h("input", { name: "login", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true })),
      h("label", { class: "field" }, say("password"), h("input", { name: "password", type: "password", autocomplete: "current-password", required: true })),
      h("button", { class: "primary wide" }, say("sign_in"))),
    (ways.passkeys || ways.oidc) && h("a", { class: `button wide${ways.local ? "" : " primary"}`, href: "/sign-in?next=/phone", "data-key": "ways" }, ways.local ? say("other_ways") : say("sign_in")),
    !ways.local && !ways.passkeys && !ways.oidc && h("p", { class: "soft" }, say("cannot_sign_in")),
  );
}

function ownPassword(app) {
  return page(say("must_change"), h("p", { "data-key": "why" }, say("must_change_more")), fault(app),
    h("form", { class: "stack", "data-form": "password", "data-key": "password" },
      h("input", { type: "text", name: "login", autocomplete: "username", value: app.me.staff, hidden: true }), // for who keeps passwords
      !app.oneTime && h("label", { class: "field" }, say("current_password"), h("input", { name: "current", type: "password", autocomplete: "current-password", required: true })),
      h("label", { class: "field" }, say("new_password"), h("input", { name: "new", type: "password", autocomplete: "new-password", required: true, maxlength: "256", "aria-describedby": "password-rule" })),
      h("p", { class: "soft", id: "password-rule" }, say("password_rules")),
      h("button", { class: "primary wide" }, say("change_shift"))));
}

// Somebody followed a link: what it would change is asked first.
export function askingScreen(app) {
  const [title, question] = app.asking[0] === "handover" ? ["take_phone", "handover_ask"] : ["enrol", "replace_ask"];
  return page(say(title), h("p", {}, say(question)),
    wide("replace", say("yes"), { className: "primary" }), wide("keep", say("no")));
}

export function enrolScreen(app) {
  if (app.enrolling) return page(say("enrol"), h("p", { role: "status" }, say("enrolling")));
  const words = [h("p", { "data-key": "what" }, say("not_enrolled_more"))];
  if (!app.me) return signIn(app, say("not_enrolled"), ...words);
  if (app.me.must_change) return ownPassword(app);
  return page(say("not_enrolled"), ...words, fault(app),
    h("p", {}, say("who_am_i"), ": ", h("strong", {}, app.me.name)),
    wide("enrol-this", say("enrol"), { className: "primary" }));
}

export function refusedScreen(app) {
  const words = { replaced: ["replaced", "replaced_more"], refused: ["refused", "refused_more"], faults: ["too_many_faults"] }[app.mode];
  return page(say(words[0]), words[1] && h("p", { class: "banner bad", role: "alert" }, say(words[1])),
    wide("reconnect", app.mode === "replaced" ? say("use_here") : say("again"), { className: "primary" }),
    app.mode === "refused" && wide("forget", say("enrol")));
}

export function nobodyScreen(app) {
  if (app.step === "off") return offScreen(app);
  const words = h("p", { class: "banner bad", role: "alert", "data-key": "nobody" }, say("nobody_here_more"));
  if (!app.me) return signIn(app, say("nobody_here"), words);
  if (app.me.must_change) return ownPassword(app);
  return page(say("nobody_here"), words, fault(app),
    h("p", {}, say("who_am_i"), ": ", h("strong", {}, app.me.name)),
    wide("bind", say("it_is_mine"), { className: "primary" }));
}

export function shiftScreen(app) {
  if (!app.me) return signIn(app, app.expired ? say("sign_in_first") : say("sign_in"), app.expired && h("p", { "data-key": "why" }, say("sign_in_first_more")));
  if (app.me.must_change) return ownPassword(app);
  if (app.shift === null) return page(say("shift"), fault(app), h("p", { role: "status" }, app.shiftAbsent ? say("not_there_yet") : say("loading")));
  if (app.step === "heard") return heardScreen(app);
  if (app.step === "off") return offScreen(app);
  if (app.shift.shift && app.step !== "beds") return onShift(app);
  return bedsScreen(app);
}

function bedsScreen(app) {
  const { units, beds, me } = app.shift;
  const free = beds.filter((bed) => bed.team.length === 0);
  return page(say("shift"), fault(app),
    h("p", { "data-key": "me" }, say("who_am_i"), ": ", h("strong", {}, me?.name ?? app.me.name)),
    units.length > 1 && h("div", { class: "stack", role: "group", "aria-label": say("my_unit"), "data-key": "units" }, h("h2", {}, say("my_unit")),
      h("div", { class: "segments" }, units.map((unit) => h("button", { "data-do": "unit", "data-unit": unit.id, "aria-pressed": String(unit.id === app.unit), "data-key": unit.id }, unit.name)))),
    h("fieldset", { class: "stack", "data-key": `beds ${app.unit}` }, h("legend", {}, h("h2", {}, say("my_beds"), units.length === 1 ? ` · ${units[0].name}` : "")),
      free.length > 0 && wide("all-free", say("all_free", { n: free.length })),
      beds.map((bed) => h("label", { class: `choice${bed.team.length === 0 ? " gap" : ""}`, "data-key": bed.place },
        h("input", { type: "checkbox", "data-bed": bed.place, "data-checked": String(app.chosen.has(bed.place)) }),
        h("span", {}, h("strong", {}, bed.label), " ", h("span", { class: "team" }, bed.team.length === 0 ? say("nobody_has") : bed.team.map((one) => one.name).join(", ")))))),
  );
}

const choosesBeds = (app) => Boolean(app.me && !app.me.must_change && app.shift) && (app.step === "beds" || (app.step === "" && !app.shift.shift));

// Below the list of beds, where the thumb is: how many, and on.
export function shiftThumb(app) {
  if (app.screen !== "shift" || !choosesBeds(app)) return null;
  const chosen = app.shift.beds.filter((bed) => app.chosen.has(bed.place)).length;
  return h("div", { class: "thumb", "data-key": "thumb" }, h("p", { class: "soft" }, chosen === 0 ? say("no_beds") : chosen === 1 ? say("one_bed") : say("n_beds", { n: chosen })),
    h("button", { class: "primary wide main", "data-do": "begin-shift" }, app.shift.shift ? say("change_shift") : say("begin_shift")));
}

function heardScreen(app) {
  return page(say("heard_ask"), fault(app), h("p", {}, say("heard_ask_more")),
    app.notHeard && h("p", { class: "banner warn", role: "alert", "data-key": "advice" }, say("not_heard_more")),
    wide("stay", say("back")), wide("hear-again", say("ring_again"), { className: "primary main" }));
}

function onShift(app) {
  const { shift, beds, units } = app.shift;
  const mine = beds.filter((bed) => bed.mine);
  const unit = units.find((one) => one.id === shift.unit);
  return page(say("on_shift", { unit: unit?.name ?? shift.unit }), fault(app),
    h("p", {}, say("who_am_i"), ": ", h("strong", {}, app.me.name)),
    mine.length ? h("ul", { class: "beds" }, mine.map((bed) => h("li", { class: "place" }, bed.label))) : h("p", {}, say("no_beds")),
    shift.heard_at === null && h("p", { class: "banner warn", "data-key": "unheard" }, say("unheard")),
    wide("beds", say("my_beds")), wide("hear-again", say("heard_ask")),
    wide("off", say("sign_off"), { className: "danger" }));
}

function offScreen(app) {
  const { alarms, candidates } = app.off;
  return page(say("sign_off"), fault(app),
    alarms.length === 0 ? h("p", {}, say("sign_off_more")) : h("form", { class: "stack", "data-form": "off" },
      h("p", { class: "banner warn" }, say("receiver_more")),
      alarms.map((alarm) => h("label", { class: "field", "data-key": alarm.alarm }, `${alarm.type_label} · ${alarm.place_label}: ${say("receiver")}`,
        h("select", { name: alarm.alarm, required: true }, h("option", { value: "" }, say("choose")), candidates.map((one) => h("option", { value: one.staff }, one.name))))),
      h("button", { class: "danger wide" }, say("sign_off"))),
    alarms.length === 0 && wide("off-now", say("sign_off"), { className: "danger" }),
    wide("stay", say("back")));
}

export function moreScreen(app) {
  const cannot = cannots(app);
  return page(say("more"), fault(app),
    app.pool && handover(app),
    h("label", { class: "choice", "data-key": "night" },
      h("input", { type: "checkbox", "data-set": "night", "data-checked": String(app.ringer.night) }),
      h("span", {}, h("strong", {}, say("night")), h("br"), h("span", { class: "soft" }, say("night_more")))),
    wide("try-sound", say("try_sound")),
    app.notify === "default" && h("div", { class: "card", "data-key": "notify" }, h("p", {}, say("notify_ask_more")), wide("notify", say("notify_ask"), { className: "primary" })),
    app.notify === "denied" && h("p", { class: "banner warn", "data-key": "denied" }, say("notify_denied")),
    h("div", { class: "card", "data-key": "cannot" }, h("h2", {}, cannot.length ? say("cannots") : say("can_all")),
      cannot.length > 0 && h("ul", { class: "stack" }, cannot.map((text) => h("li", {}, text)))),
    app.me && wide("sign-out", say("sign_out")));
}

function handover(app) {
  return h("div", { class: "card", "data-key": "handover" }, h("h2", {}, say("hand_over")), h("p", {}, say("hand_over_more")),
    app.offer ? [picture(app.offer.qr, say("code")), h("p", { class: "code" }, app.offer.code)] : wide("hand-over", say("hand_over")));
}

// What this phone cannot do, in words.
export function cannots(app) {
  return [
    !app.ringer.canShake && say("cannot_vibrate"),
    !app.ringer.canWake && say("cannot_wake"),
    app.notify !== "granted" && say("cannot_notify"),
    !app.pushes && say("cannot_push"),
    !app.store.lasting && say("cannot_keep"),
  ].filter(Boolean);
}
