// A board's value as elements: words, shapes and sizes. It reads no clock and keeps nothing; ages and contact are
// `board.js`. All text is set as text, never as markup.

/** An element with classes, attributes and children. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  high: "M50 4 98 92H2Z",
  medium: "M50 2 98 50 50 98 2 50Z",
  low: "M50 6a44 44 0 1 1 0 88a44 44 0 1 1 0-88Z",
  information: "M10 10H90V90H10Z",
  coming: "M8 38H56V14L96 50 56 86V62H8Z",
  there: "M6 54 24 36 41 53 77 14 95 31 42 90Z",
  warning: "M50 4 98 92H2Z M45 34H55L53 66H47Z M45 72H55V82H45Z",
  live: "M50 6a44 44 0 1 1 0 88a44 44 0 1 1 0-88Z",
  part: "M50 6a44 44 0 0 1 0 88Z M50 6a44 44 0 1 0 0 88V80a30 30 0 1 1 0-60Z",
  none: "M20 4 50 34 80 4 96 20 66 50 96 80 80 96 50 66 20 96 4 80 34 50 4 20Z",
};

/** A shape for those who do not see colours; its word stands beside it. */
export function shape(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "shape");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

/** Minutes and seconds since; hours from one on. */
export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h ? `${h} h ${String(m).padStart(2, "0")}` : `${m}:${String(s % 60).padStart(2, "0")}`;
}

const capital = (text) => text.slice(0, 1).toLocaleUpperCase() + text.slice(1);

/** Names in a row: "Anna, Bo och Cia". */
function listed(names, words) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${words.and} ${names.at(-1)}`;
}

/** "Anna B", where that is nobody else's on this board. */
export function shortNames(names) {
  const short = (name) => {
    const parts = name.split(" ");
    return parts.length < 2 ? name : `${parts[0]} ${parts.at(-1)[0]}`;
  };
  const all = [...new Set(names)];
  const shared = (one) => all.filter((other) => short(other) === short(one)).length > 1;
  return new Map(all.map((name) => [name, shared(name) ? name : short(name)]));
}

/** What is said of who comes; a list of [shape, text]. */
function coming(alarm, words, short) {
  const called = (names) => listed(names.map((name) => short.get(name) || name), words);
  const said = [];
  if (alarm.there) said.push(["there", alarm.there_names.length ? words.there(called(alarm.there_names)) : words.there_count(alarm.there)]);
  if (alarm.coming) said.push(["coming", alarm.names.length ? words.comes(called(alarm.names)) : words.coming(alarm.coming)]);
  if (alarm.soon) said.push(["coming", words.soon(alarm.soon)]);
  if (!said.length && alarm.shown !== "veiled" && !alarm.drill) said.push(["warning", words.nobody_comes]);
  return said;
}

/** Phases that say more than who comes does. */
const SAID_PHASES = new Set(["partly_accepted"]);

export function alarmRow(alarm, words, language, ourUnit, short) {
  const label = (both) => both[language];
  const veiled = alarm.shown === "veiled";
  const place = veiled ? words.see_phone : label(alarm.place);
  const phase = SAID_PHASES.has(alarm.phase) || veiled || alarm.drill;
  const notes = [
    ...(alarm.shown === "ours" && alarm.unit === ourUnit ? [] : [alarm.unit]),
    ...alarm.flags.map(label),
    ...(alarm.missing.length ? [words.missing(alarm.missing.map(label).join(", "))] : []),
    ...(alarm.count > 1 ? [words.times(alarm.count)] : []),
    ...(alarm.again ? [words.again(alarm.again + 1)] : []),
  ];
  return el(
    "li",
    { class: `alarm p-${alarm.drill ? "drill" : alarm.priority} ph-${alarm.phase} s-${alarm.shown}`, "data-alarm": alarm.id },
    el("span", { class: "urgency" }, shape(alarm.drill ? "information" : alarm.priority),
      el("span", { class: "word" }, alarm.drill ? words.drill : words.priority[alarm.priority])),
    el("span", { class: "what" },
      el("strong", { class: "place" }, place || capital(label(alarm.label))),
      place ? el("span", { class: "kind" }, capital(label(alarm.label))) : null,
      notes.length ? el("span", { class: "notes" }, notes.join(" · ")) : null),
    el("span", { class: "who" },
      phase ? el("span", { class: "phase" }, capital(label(alarm.phase_label))) : null,
      ...coming(alarm, words, short).map(([name, text]) => el("span", { class: `comes c-${name}` }, shape(name), text))),
    el("span", { class: "age", "data-since": alarm.raised_at }),
  );
}

const REACH_SHAPE = { live: "live", recent: "part", pushable: "live", one_way: "part", none: "none" };

export function personRow(person, words, language) {
  const label = (both) => both[language];
  const state = person.state === "available" ? null : words.state[person.state] || person.state;
  const facts = [
    person.roles.map(label).join(", "),
    person.beds ? words.beds(person.beds) : null,
    person.on_site ? null : words.home,
    person.signed_on ? words.signed_on : null,
  ].filter(Boolean);
  return el(
    "li",
    { class: `person r-${person.reach}` },
    el("strong", { class: "name" }, person.name),
    el("span", { class: "reach" }, shape(REACH_SHAPE[person.reach]), words.reach[person.reach]),
    el("span", { class: "facts" }, facts.join(" · ")),
    ...(state ? [el("span", { class: "state" }, state)] : []),
    ...person.at.map((what) => el("span", { class: "at" }, shape("coming"), words.at(label(what)))),
  );
}

export function redRow(red, words, time) {
  const fault = words.faults[red.code] || red.code.replaceAll("_", " ");
  const drill = red.channel ? `${words.drill_red(words.channels[red.channel] || red.channel)}: ` : "";
  return el(
    "li",
    { class: "red" },
    shape("warning"),
    el("span", {}, el("strong", {}, red.name), `: ${drill}${fault} `, el("span", { class: "facts" }, `(${time(red.since)})`)),
  );
}

export function banner(said, words, time) {
  if (said.code === "calls_not_arriving") return el("p", { class: "banner bad" }, shape("warning"), words.calls_not_arriving);
  const hours = `${time(said.from_at)}–${time(said.until_at)}`;
  return el("p", { class: "banner" }, shape("warning"), words.maintenance(said.source, hours));
}
