// The board on the wall of a unit. It shows what the hub last said, says loudly when the hub is silent or cannot
// store, calls out with a voice of its own, and never shows more than the hub gave it.

import { Feed } from "./board-feed.js";
import { Scroll } from "./board-scroll.js";
import { Voice, calling } from "./board-sound.js";
import { age, alarmRow, banner, el, personRow, redRow, shape, shortNames } from "./board-view.js";
import { WORDS, languageOf } from "./board-words.js";

const query = new URLSearchParams(location.search);
const unit = decodeURIComponent(location.pathname.split("/").pop());
const SECRET = `alarmhub.board.secret.${unit}`;
const SOUND = `alarmhub.board.sound.${unit}`;
const THEME = "alarmhub.board.theme";
const SOUNDS = ["on", "high", "off"];
const THEMES = ["auto", "dark", "light"];
const NIGHT_FROM = 20 * 60;
const NIGHT_TO = 6 * 60 + 30;
const SHIFT_MS = 60000;
const SHIFTS = ["0 0", "2px 0", "2px 2px", "0 2px", "-2px 2px", "-2px 0", "-2px -2px", "0 -2px", "2px -2px"];

/** The secret of the address, moved out of the address bar and of the history; a reload still has it. */
function secretOf() {
  const given = decodeURIComponent(location.hash.slice(1));
  if (given) {
    sessionStorage.setItem(SECRET, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(SECRET) || "";
}

const voice = new Voice();
const state = {
  board: null, // what the hub last said
  storing: true,
  clock: null, // {hub, here}: the hub's clock at an instant of performance.now()
  refused: 0,
  began: performance.now(),
  known: new Set(),
  language: languageOf(query.get("lang"), navigator.languages || [], ""),
  sound: localStorage.getItem(SOUND),
  theme: query.get("theme") || localStorage.getItem(THEME) || "auto",
};
const words = () => WORDS[state.language];

// The page's skeleton; what changes inside is filled in by `show`.
const part = {
  root: document.getElementById("board"),
  name: el("h1"),
  counts: el("p", { class: "counts" }),
  clock: el("time", { class: "clock", role: "timer", "aria-live": "off" }),
  sound: el("button", { type: "button", class: "setting", "data-setting": "sound" }),
  theme: el("button", { type: "button", class: "setting", "data-setting": "theme" }),
  alert: el("div", { class: "alerts", role: "alert" }),
  unlock: el("button", { type: "button", class: "unlock", hidden: true }),
  banners: el("div", { class: "banners" }),
  alarmsTitle: el("h2", { id: "alarms-title" }),
  alarms: el("ol", { class: "alarm-list" }),
  calm: el("p", { class: "calm", hidden: true }),
  more: el("span", { class: "more", hidden: true }),
  alarmBox: el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "alarms-title" }),
  ward: el("div", { class: "ward-list" }),
  wardMore: el("span", { class: "more", hidden: true }),
  wardTitle: el("h2", { id: "ward-title" }),
  wardBox: el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "ward-title" }),
  live: el("p", { class: "unseen", "aria-live": "assertive" }),
  main: el("main"),
};
part.alarmBox.append(part.alarms, part.calm);
part.wardBox.append(part.ward);
part.root.append(
  el("header", {}, part.name, el("div", { class: "settings" }, part.sound, part.theme), part.clock),
  part.alert,
  part.unlock,
  part.banners,
  part.main,
  part.live,
);
part.main.append(
  el("section", { class: "alarms" }, el("div", { class: "title" }, part.alarmsTitle, part.more), part.alarmBox),
  el("section", { class: "ward" }, el("div", { class: "title" }, part.wardTitle, part.wardMore), part.counts, part.wardBox),
);
part.name.textContent = unit;
for (const section of part.main.children) section.hidden = true;
const alarmScroll = new Scroll(part.alarmBox, part.more, words);
const wardScroll = new Scroll(part.wardBox, part.wardMore, words);

/** The hub's clock now, epoch ms; null before it was heard. */
function hubNow() {
  return state.clock && state.clock.hub + performance.now() - state.clock.here;
}

function time(at, seconds = false) {
  const zone = state.board ? state.board.zone : undefined;
  const shown = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone };
  return new Intl.DateTimeFormat("sv-SE", seconds ? { ...shown, second: "2-digit" } : shown).format(at);
}

function minutesOfDay(at) {
  const [h, m] = time(at).split(":").map(Number);
  return h * 60 + m;
}

function setting() {
  if (SOUNDS.includes(state.sound)) return state.sound;
  return state.board && state.board.public ? "off" : "on";
}

function show() {
  const { board } = state;
  const w = words();
  document.documentElement.lang = state.language;
  for (const section of part.main.children) section.hidden = !board;
  if (!board) return;
  document.title = w.title(board.name);
  part.name.textContent = board.name;
  part.counts.replaceChildren(...counts(board, w));
  const short = shortNames([...board.people.map((person) => person.name), ...board.alarms.flatMap((alarm) => [...alarm.names, ...alarm.there_names])]);
  part.alarmsTitle.textContent = w.alarms;
  part.calm.hidden = board.alarms.length > 0;
  part.calm.replaceChildren(shape("there"), w.no_alarms);
  part.alarms.replaceChildren(...board.alarms.map((alarm) => alarmRow(alarm, w, state.language, board.name, short)));
  part.banners.replaceChildren(...banners(board, w));
  part.wardTitle.textContent = w.duty;
  part.ward.replaceChildren(...ward(board, w));
  part.root.dataset.variant = board.public ? "public" : "staff";
  announce(board, w);
  alarmScroll.count(board.more);
  wardScroll.count();
  tick();
}

function counts(board, w) {
  const { on_duty: duty, reachable, away } = board.counts;
  if (!duty) return board.unstaffed ? [] : [el("span", { class: "bad" }, shape("none"), w.nobody_on_duty)];
  const lost = reachable < duty;
  return [
    el("span", { class: lost ? "bad" : "good" }, shape(lost ? "part" : "live"), w.reachable(reachable, duty)),
    away ? el("span", {}, w.away(away)) : "",
  ];
}

function banners(board, w) {
  return [
    ...(board.unstaffed ? [el("p", { class: "banner bad" }, shape("warning"), w.unstaffed)] : []),
    ...board.banners.map((said) => banner(said, w, time)),
  ];
}

/** The column of the ward: what must be seen to first, then who is on duty, then what is in order. */
function ward(board, w) {
  const note = (text) => el("p", { class: "note" }, text);
  const title = (text) => el("h3", {}, text);
  const wrong = (text) => el("h3", { class: "bad" }, shape("warning"), text);
  const [first, last] = [[], []];
  if (board.gap_count) {
    const unlisted = board.gap_count - board.gaps.length;
    const gaps = unlisted ? [...board.gaps, w.more(unlisted)] : board.gaps;
    first.push(wrong(w.gaps(board.gap_count)), el("ul", { class: "gaps" }, ...gaps.map((label) => el("li", {}, label))));
  } else last.push(title(w.no_gaps));
  if (board.red.length) first.push(wrong(w.red), el("ul", { class: "reds" }, ...board.red.map((red) => redRow(red, w, time))));
  else if (board.red_phones) first.push(wrong(w.red_count(board.red_phones)));
  else last.push(title(w.no_red));
  const people = board.people.map((person) => personRow(person, w, state.language));
  return [
    ...(board.covered_by.length ? [note((board.counts.on_duty ? w.cover : w.covered_by)(board.covered_by.join(", ")))] : []),
    ...(board.covers.length ? [note(w.covers(board.covers.join(", ")))] : []),
    ...(board.lent.length ? [note(w.lent(board.lent.join(", ")))] : []),
    ...first,
    ...(people.length ? [el("ul", { class: "people" }, ...people)] : []),
    ...last,
  ];
}

/** New alarms are said to a screen reader, and bring the list back to its top. */
function announce(board, w) {
  const fresh = board.alarms.filter((alarm) => !state.known.has(alarm.id));
  if (fresh.length) {
    part.live.textContent = fresh
      .map((alarm) => w.announce(alarm.label[state.language], alarm.place[state.language] || alarm.unit))
      .join(". ");
    alarmScroll.top();
  }
  state.known = new Set(board.alarms.map((alarm) => alarm.id));
}

function alerts(contact) {
  const w = words();
  const says = [];
  if (state.refused) {
    says.push(state.refused === 404 ? ["lost", w.unknown, w.unknown_more] : ["lost", w.refused, w.refused_more]);
  } else if (!contact) {
    if (!state.clock && performance.now() - state.began < 8000) says.push(["calm", w.connecting, ""]);
    else says.push(["lost", w.no_contact, state.clock ? w.no_contact_more(time(state.clock.hub, true)) : w.never_contact]);
  }
  if (contact && !state.storing) says.push(["unstored", w.not_stored, w.not_stored_more]);
  const now = says.map((one) => one.join("|")).join("\n");
  if (part.alert.dataset.says === now) return;
  part.alert.dataset.says = now;
  const back = `/sign-in?next=${encodeURIComponent(location.pathname)}`;
  const signIn = state.refused && state.refused !== 404 ? el("a", { href: back }, w.sign_in) : "";
  part.alert.replaceChildren(...says.map(([kind, head, more]) =>
    el("p", { class: `alert ${kind}` }, kind === "calm" ? "" : shape("warning"), el("strong", {}, head), " ", more, signIn)));
}

function settings() {
  const w = words();
  const sound = setting();
  const said = { on: w.sound_on, high: w.sound_high, off: w.sound_off }[sound];
  if (part.sound.textContent !== said) part.sound.textContent = said;
  part.sound.title = w.sound_hint;
  part.sound.classList.toggle("off", sound === "off");
  if (part.theme.textContent !== w.theme[state.theme]) part.theme.textContent = w.theme[state.theme];
  part.unlock.textContent = w.unlock;
  part.unlock.hidden = sound === "off" || !voice.locked || !state.board;
  const at = hubNow();
  const minutes = at === null ? 12 * 60 : minutesOfDay(at);
  const night = minutes >= NIGHT_FROM || minutes < NIGHT_TO || matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = state.theme === "auto" ? (night ? "dark" : "light") : state.theme;
}

function tick() {
  const now = performance.now();
  const at = hubNow();
  const contact = feed.inContact && !state.refused;
  part.root.dataset.contact = contact || (!state.clock && !state.refused && now - state.began < 8000) ? "yes" : "no";
  part.root.dataset.storing = state.storing ? "yes" : "no";
  if (at !== null && contact) {
    part.clock.textContent = time(at, true);
    for (const one of part.alarms.querySelectorAll("[data-since]")) one.textContent = age(at - Number(one.dataset.since));
  }
  alerts(contact);
  settings();
  for (const scroll of [alarmScroll, wardScroll]) {
    scroll.count();
    scroll.tick(now);
  }
  part.root.style.translate = SHIFTS[Math.floor(now / SHIFT_MS) % SHIFTS.length];
  if (state.board) voice.call(calling(state.board.alarms, { contact, storing: state.storing, setting: setting() }), now);
  part.root.dataset.bursts = voice.bursts;
}

const variant = query.get("variant");
const feed = new Feed({
  url: `/api/v1/boards/${encodeURIComponent(unit)}/events${variant ? `?variant=${encodeURIComponent(variant)}` : ""}`,
  secret: secretOf(),
  on: {
    board({ board }) {
      state.refused = 0;
      state.board = board;
      state.storing = board.storing;
      state.language = languageOf(query.get("lang"), navigator.languages || [], board.language);
      show();
    },
    beat({ at, storing }) {
      state.refused = 0;
      state.clock = { hub: at, here: performance.now() };
      state.storing = storing;
      tick();
    },
    refused(status) {
      state.refused = status;
      state.board = null;
      // What was on the wall before the right was lost must not stay in the page either.
      for (const one of [part.alarms, part.calm, part.ward, part.banners, part.counts, part.live]) one.replaceChildren();
      delete part.root.dataset.variant;
      show();
      tick();
    },
  },
});

part.sound.addEventListener("click", () => {
  state.sound = SOUNDS[(SOUNDS.indexOf(setting()) + 1) % SOUNDS.length];
  localStorage.setItem(SOUND, state.sound);
  voice.unlock().then(tick);
});
part.theme.addEventListener("click", () => {
  state.theme = THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length];
  localStorage.setItem(THEME, state.theme);
  tick();
});
part.unlock.addEventListener("click", () => voice.unlock().then(tick));
addEventListener("pointerdown", () => voice.unlock(), { once: true });
addEventListener("resize", () => { alarmScroll.count(); wardScroll.count(); });
addEventListener("hashchange", () => {
  if (location.hash.length > 1) {
    feed.secret = secretOf();
    feed.abort?.abort();
  }
});

voice.unlock();
feed.run();
setInterval(tick, 500);
tick();
