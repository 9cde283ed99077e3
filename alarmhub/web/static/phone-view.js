// What the app shows of alarms: the list, one alarm in full, the ringing screen, what is wrong. Pure: from the
// app's state to elements; it keeps nothing and presses nothing.

import { dialled, ringOf } from "./phone-alarms.js";
import { h } from "./phone-dom.js";
import { exclamations, kindIcon, priorityIcon } from "./phone-icons.js";
import { clock, duration, say, sayOr } from "./phone-words.js";

// In the thumb's reach: what is pressed most is the largest and the lowest.
const JUST_NOW_MS = 5_000;
const MAIN = ["accept", "take_over", "attend", "done", "safe"];

export function topBar(app) {
  const { link, welcome } = app;
  const contact = link.contact;
  return h("header", { class: "bar" },
    h("p", { class: "who" }, welcome?.name || say("app"), unitOf(app) && h("span", { class: "soft" }, ` ${unitOf(app)}`)),
    ["loading", "ready"].includes(app.mode) && h("p", { class: `contact ${contact}` }, h("span", { class: "dot", "aria-hidden": "true" }), say(`contact_${contact}`)),
  );
}

function unitOf(app) {
  const unit = app.shift?.shift?.unit;
  return app.shift?.units.find((one) => one.id === unit)?.name ?? "";
}

// Everything that keeps this phone from doing its duty, the worst first, each with what to do about it.
export function banners(app) {
  return [
    muteBanner(app),
    app.link.contact === "lost" && h("div", { class: "banner bad", "data-key": "lost" },
      h("h2", {}, say("contact_lost")), !app.hushed && h("p", {}, say("contact_lost_more")),
      app.lostAt && h("p", {}, say("contact_since", { time: clock(app.lostAt) })),
      !app.hushed && h("button", { class: "wide", "data-do": "hush" }, say("hush_warning"))),
    app.link.contact !== "lost" && !app.storing && h("div", { class: "banner bad", "data-key": "storing" },
      h("h2", {}, say("not_storing")), !app.hushed && h("p", {}, say("not_storing_more")),
      !app.hushed && h("button", { class: "wide", "data-do": "hush" }, say("hush_warning"))),
    ...app.banners.map((text) => h("p", { class: "banner warn", "data-key": `b ${text}` }, text)),
    ...app.warnings.map((text) => h("p", { class: "banner warn", "data-key": `w ${text}` }, text)),
    app.expired && app.screen !== "shift" && h("button", { class: "banner plain wide", "data-do": "go", "data-to": "shift", "data-key": "expired" },
      say("sign_in_first_more"), " ", h("u", {}, say("sign_in"))),
    app.stale && h("button", { class: "banner plain wide", "data-do": "reload", "data-key": "stale" }, say("new_version")),
    keptLine(app),
  ];
}

function muteBanner(app) {
  return app.needsTouch && h("button", { class: "banner warn mute wide", "data-do": "unlock", "data-key": "mute" },
    h("strong", {}, say("mute_now")), h("span", {}, say("mute_now_more")));
}

// The same, short, over an alarm that rings.
function troubles(app) {
  const { contact } = app.link;
  const word = contact === "lost" ? say("contact_lost") : contact === "seeking" ? say("contact_seeking") : app.storing ? "" : say("not_storing");
  return [muteBanner(app), word && h("p", { class: "banner bad", "data-key": "trouble" }, word)];
}

function keptLine(app) {
  const waiting = app.answers.waiting().length;
  if (waiting === 0) return null;
  return h("p", { class: "banner plain", "data-key": "kept" }, waiting === 1 ? say("kept_answer") : say("kept_answers", { n: waiting }));
}

export function alarmList(app) {
  const alarms = app.alarms.listed();
  if (alarms.length === 0) {
    return h("section", { class: "calm" }, nothingListed(app), drillLine(app));
  }
  return h("section", {}, h("h1", { class: "spoken" }, say("alarms")),
    h("ul", { class: "stack" }, alarms.map((alarm) => h("li", { "data-key": alarm.id }, card(app, alarm)))), drillLine(app));
}

// Calm is said only where it is known: in contact, and to somebody whom the phone rings.
function nothingListed(app) {
  if (app.link.contact !== "live" || app.alarms.fresh !== null) return [h("h1", {}, say("unknown")), h("p", { class: "soft" }, say("unknown_more"))];
  if (app.shift !== null && !onShiftNow(app)) {
    return [h("h1", {}, say("no_shift")), h("p", {}, say("no_shift_more")),
      h("button", { class: "wide primary", "data-do": "go", "data-to": "shift", "data-key": "to-shift" }, say("to_shift"))];
  }
  return [h("h1", {}, say("calm")), h("p", { class: "soft" }, say("calm_more"))];
}

function onShiftNow(app) {
  const shift = app.shift?.shift;
  return Boolean(shift) && Date.parse(shift.until) > app.hubNow();
}

function drillLine(app) {
  return app.drillAt ? h("p", { class: "soft discreet" }, say("silent_drill", { time: clock(app.drillAt) })) : null;
}

function card(app, alarm) {
  const muted = alarm.rings && app.ringer.isMuted(alarm);
  return h("button", { class: `alarm ${tone(alarm)}${alarm.rings ? " rings" : ""}`, "data-do": "open", "data-alarm": alarm.id },
    heading(alarm),
    h("span", { class: "place" }, placeOf(alarm)),
    h("span", { class: "line" }, alarm.unit_label, " · ", h("span", { "data-age": "" }, age(app, alarm)), alarm.count > 1 && ` · ${say("count", { n: alarm.count })}`),
    h("span", { class: "line strong" }, stand(app, alarm)),
    muted && !pending(app, alarm) && h("span", { class: "line" }, say("muted_here")),
  );
}

function tone(alarm) {
  return alarm.drill ? "drill" : alarm.priority;
}

// Kind by word and shape, priority by word, shape and colour.
function heading(alarm) {
  const what = alarm.drill ? say("prov") : typeLabel(alarm);
  return h("span", { class: `kind ${tone(alarm)}` },
    kindIcon(alarm.drill ? "drill" : alarm.kind),
    h("span", { class: "what" }, what),
    h("span", { class: "prio" }, h("span", { class: "badge" }, priorityIcon(alarm.priority), h("span", { class: "bang", "aria-hidden": "true" }, exclamations(alarm.priority))), say(`p_${alarm.priority}`)),
  );
}

// The site's own name for the type; where it has none of its own, the kind in the reader's language.
export function typeLabel(alarm) {
  const kind = sayOr(`k_${alarm.kind}`, alarm.kind_label);
  return alarm.type_label && alarm.type_label !== alarm.kind_label ? alarm.type_label : kind;
}

// A colleague who went home left it to this person, who has not said yes yet.
function isHanded(alarm) {
  return alarm.you === "told" && alarm.why.some(({ code }) => code.startsWith("handed_over"));
}

// A test ring has no place: then its unit, or what it is.
export function placeOf(alarm) {
  return alarm.place_label || alarm.unit_label || alarm.type_label;
}

function stand(app, alarm) {
  const waiting = pending(app, alarm);
  if (waiting) return waiting;
  if (isHanded(alarm)) return say("handed");
  if (alarm.you === "accepted") return say("you_take");
  if (alarm.you === "arrived") return say("you_there");
  if (alarm.you === "holding") return say("you_holding");
  if (alarm.accepted_by.length) return `${say("taken_by", { names: alarm.accepted_by.join(", ") })}${alarm.phase === "partly_accepted" ? ` · ${say("phase_partly")}` : ""}`;
  if (alarm.phase === "attended") return say("phase_attended");
  if (alarm.drill) return say(alarm.hearing ? "heard_ask" : "prov_more");
  return alarm.you === "noted" ? say("you_noted") : say("nobody_yet");
}

function pending(app, alarm) {
  const [answer] = app.answers.of(alarm.id);
  if (answer === undefined) return "";
  const state = app.answers.sent.has(answer.req) ? say("sending") : say("waits");
  return `${say(answer.frame.type)} · ${state}`;
}

function age(app, alarm) {
  const since = app.hubNow() - alarm.raised_at;
  return since < JUST_NOW_MS ? say("just_now") : say("age", { t: duration(since) });
}

function countdown(app, alarm) {
  if (alarm.next_step_at === null || alarm.drill) return null;
  const left = alarm.next_step_at - app.hubNow();
  const accepted = alarm.phase === "accepted" || alarm.phase === "attended";
  const key = isHanded(alarm) ? "next_handed" : accepted ? "next_accepted" : "next_ringing";
  const words = left < 1000 ? say("next_soon") : say(key, { t: duration(left) });
  return h("p", { class: "countdown", "data-key": "next" }, words);
}

// One alarm in full: what, where, the plant's own words, how old, who, what next; answers within the thumb's
// reach. `ringing`: over everything else.
export function alarmScreen(app, alarm, ringing) {
  const others = ringing ? app.ringer.audible().length - 1 : 0;
  return h("section", {
    class: `full ${tone(alarm)}${ringing ? " ringing" : ""}`, "data-key": `full ${alarm.id}`,
    role: ringing ? "dialog" : "region", "aria-modal": ringing ? "true" : null, "aria-labelledby": "full-what full-title",
  },
    h("div", { class: "story", "data-key": "story" }, h("div", { class: "head" },
      ringing && troubles(app),
      alarm.hearing && app.fault && h("p", { class: "banner bad", role: "alert", "data-key": "fault" }, app.fault),
      heading(alarm),
      alarm.drill && h("p", { class: "prov" }, say("prov"), h("span", {}, say("prov_more"))),
      h("p", { id: "full-what", class: "spoken" }, `${alarm.drill ? say("prov") : typeLabel(alarm)}, ${say("priority", { p: say(`p_${alarm.priority}`) })}`),
      h("h1", { id: "full-title", tabindex: "-1", class: "place" }, placeOf(alarm)),
      alarm.unit_label !== placeOf(alarm) && h("p", { class: "unit" }, alarm.unit_label),
    ),
    h("div", { class: "facts" },
      alarm.source_text && !alarm.drill && h("p", { class: "plant" }, h("span", { class: "soft" }, `${say("plant_says")}: `), h("q", {}, alarm.source_text)),
      alarm.source_text && alarm.drill && h("p", { class: "stand" }, alarm.source_text),
      alarm.text && alarm.text !== alarm.source_text && h("p", {}, alarm.text),
      !alarm.drill && h("p", { class: "stand" }, stand(app, alarm)),
      countdown(app, alarm),
      h("p", { class: "soft" }, age(app, alarm), alarm.count > 1 && ` · ${say("count", { n: alarm.count })}`),
      alarm.flags.map((flag) => sayOr(`f_${flag}`, "")).filter(Boolean).map((text) => h("p", { class: "flag" }, text)),
      others > 0 && h("button", { class: "others wide", "data-do": "list" }, others === 1 ? say("also_ring") : say("also_rings", { n: others }), " · ", say("show_all")),
      !alarm.drill && reasons(app, alarm),
    ),
    sideButtons(app, alarm, ringing)),
    mainButton(app, alarm),
  );
}

function reasons(app, alarm) {
  const why = alarm.why.map(({ code, text }) => sayOr(`why_${code}`, sentence(text)));
  const mine = app.welcome?.name;
  const names = (alarm.told_names ?? []).filter((name) => name !== mine);
  const more = alarm.told_more ?? 0;
  const told = names.length === 0 ? say("only_you") : more > 0 ? say("and_more", { names: names.join(", "), n: more }) : `${names.join(", ")}.`;
  return h("dl", { class: "reasons" },
    why.length > 0 && [h("dt", {}, say("why_me")), h("dd", {}, why.join(" "))],
    h("dt", {}, say("who_else")), h("dd", {}, told),
  );
}

function sentence(text) {
  const trimmed = String(text).trim();
  return trimmed === "" ? "" : `${trimmed[0].toUpperCase()}${trimmed.slice(1)}${/[.!?]$/.test(trimmed) ? "" : "."}`;
}

function open(app, alarm) {
  return app.answers.of(alarm.id).length > 0 ? [] : alarm.can;
}

function sideButtons(app, alarm, ringing) {
  const number = dialled(alarm.callback);
  const muteable = alarm.rings && !app.ringer.isMuted(alarm);
  const side = open(app, alarm).filter((answer) => answer !== mainAnswer(app, alarm));
  const pairs = [
    ...side.map((answer) => button(app, alarm, answer, "")),
    number && h("a", { class: "button", href: number, "data-key": "call" }, say("call_back")),
    !ringing && h("button", { "data-do": "back", "data-key": "back" }, say("back")),
  ].filter(Boolean);
  if (pairs.length % 2 === 1) pairs[0].classList.add("alone");
  return h("div", { class: "answers", "data-key": "answers" },
    muteable && !alarm.drill && h("button", { class: "quiet", "data-do": "mute", "data-alarm": alarm.id, "data-key": "mute", "aria-disabled": app.early(`${alarm.id} mute`) ? "true" : null }, say("mute_ring")),
    muteable && alarm.hearing && h("button", { class: "quiet", "data-do": "not-heard", "data-alarm": alarm.id, "data-key": "not" }, say("not_heard")),
    pairs);
}

function mainAnswer(app, alarm) {
  return open(app, alarm).find((answer) => MAIN.includes(answer));
}

// Always in sight, whatever the letters' size: the one thing most people press.
function mainButton(app, alarm) {
  const answer = mainAnswer(app, alarm);
  if (answer !== undefined) return h("div", { class: "take", "data-key": "take" }, button(app, alarm, answer, "primary main"));
  if (!alarm.drill || !alarm.rings) return null;
  const muted = app.ringer.isMuted(alarm);
  if (muted && !alarm.hearing) return null;
  // Who silenced it cannot say that it was heard: then it rings anew.
  const [action, words] = muted ? ["hear-again", "ring_again"] : alarm.hearing ? ["heard", "heard"] : ["mute", "prov_heard"];
  return h("div", { class: "take", "data-key": "take" }, h("button", {
    class: "primary main", "data-do": action, "data-alarm": alarm.id, "data-key": action,
  }, say(words)));
}

function button(app, alarm, answer, className) {
  return h("button", {
    class: className, "data-do": "answer", "data-answer": answer, "data-alarm": alarm.id, "data-key": answer,
    "aria-disabled": app.early(`${alarm.id} ${answer} ${className}`) ? "true" : null,
  }, say(answer));
}

// Which alarm covers the screen: the most urgent that sounds here and was not put aside.
export function covering(app) {
  return app.ringer.audible().find((alarm) => !app.aside.has(ringOf(alarm)));
}

export function availability(app) {
  if (!app.welcome) return null;
  // Nothing told means available, once the shift has begun.
  const now = app.availability || (onShiftNow(app) ? "available" : "");
  return h("div", { class: "segments", role: "group", "aria-label": say("availability") },
    ["available", "busy", "break"].map((state) => h("button", {
      "data-do": "availability", "data-state": state, "aria-pressed": String(now === state), "data-key": state,
    }, say(state))));
}

export function lastOne(app) {
  const { state, candidates } = app.lastOne;
  return h("section", { class: "page", role: "region", "aria-labelledby": "last-title" },
    h("h1", { id: "last-title", tabindex: "-1" }, say("last_one")),
    candidates.length === 0 ? h("p", {}, say("nobody_free")) : [
      h("p", {}, say("last_one_more")),
      candidates.map(({ staff, name }) => h("button", { class: "wide", "data-do": "substitute", "data-staff": staff, "data-state": state, "data-key": staff }, name)),
    ],
    h("button", { class: "wide", "data-do": "back" }, say("back")),
  );
}

export function tabs(app, names) {
  const here = names.includes(app.screen) ? app.screen : "alarms";
  return h("nav", { class: "tabs", "aria-label": say("app") }, names.map((name) => h("button", {
    "data-do": "go", "data-to": name, "aria-current": here === name ? "page" : null, "data-key": name,
  }, say(name))));
}
