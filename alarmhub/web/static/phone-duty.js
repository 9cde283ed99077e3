// Signing in, enrolment, the shift: what is pressed on those screens, as conversations with the hub. None of it
// stands in the way of an alarm: the socket rings on beside it.

import { Refused } from "./phone-api.js";
import { askToNotify, register, subscribed } from "./phone-push.js";
import { say } from "./phone-words.js";

// Runs one conversation, and says on the screen why it failed.
async function talk(app, work, words = {}) {
  app.fault = "";
  try {
    return await work();
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    if (refused.status === 401 && !words[401]) await app.whoAmI();
    app.fault = words[refused.error] ?? words[refused.status] ?? (refused.status === 401 ? say("sign_in_first") : refused.absent ? say("not_there_yet") : refused.status === 0 ? say("contact_lost") : refused.problem.detail ?? say("failed"));
    app.draw();
    return undefined;
  }
}

// Where the app begins: a link's code, the secret it has, or nothing.
async function boot(app) {
  register();
  const given = new URLSearchParams(location.hash.slice(1));
  if (location.hash) history.replaceState({ screen: "alarms" }, "", location.pathname);
  await reach(app);
  const link = ["enrol", "token", "handover"].map((name) => [name, given.get(name)]).find(([, value]) => value);
  await app.whoAmI();
  // Anybody can make a link: it neither takes a phone from its owner nor gives its person another one unasked,
  // and the phone rings on beside the question.
  if (link !== undefined && (app.secret || link[0] === "handover")) app.asking = link;
  else if (link !== undefined) await follow(app, link);
  if (app.asking) app.focusNext = true;
  if (app.secret) app.link.start();
  else app.mode = "unenrolled";
  app.draw();
}

// The page may have come from the worker's cache while the hub is away: keep asking for where its socket is.
async function reach(app) {
  for (;;) {
    try {
      app.config = await app.api.config();
      await app.store.put("config", app.config);
      return;
    } catch {
      app.config = (await app.store.get("config")) ?? null;
      if (app.config !== null) return;
      app.fault = say("contact_lost");
      app.draw();
      await new Promise((go) => setTimeout(go, 2_000));
    }
  }
}

async function follow(app, [name, value]) {
  app.asking = null;
  if (name === "token") await keep(app, { secret: value, device: `web-${crypto.getRandomValues(new Uint32Array(2)).join("")}`, pool: false });
  if (name === "enrol") await enrol(app, value);
  if (name === "handover") {
    await withReceivers(app, async (receivers) => {
      await app.api.takeHandover(value, receivers);
      app.step = "";
      app.tell(say("taken_over_phone"));
    });
  }
}

async function enrol(app, code) {
  app.enrolling = true;
  app.draw();
  const taken = await talk(app, () => app.api.enrol(code, label()), { 404: say("code_bad"), 429: say("slow_down") });
  app.enrolling = false;
  if (taken === undefined) return;
  await keep(app, taken);
  app.tell(say("enrolled"));
}

async function keep(app, { secret, device, pool }) {
  app.link.stop();
  app.forgetPerson();
  Object.assign(app, { secret, device, pool: Boolean(pool), mode: "loading" });
  for (const [name, value] of Object.entries({ secret, device, pool: Boolean(pool) })) await app.store.put(name, value);
  app.link.start();
  subscribed(app);
}

function label() {
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(navigator.userAgent)?.[0] ?? "";
  return `${system} ${screen.width}x${screen.height}`.trim();
}

// My shift as the hub has it; which unit and beds are chosen.
export async function startDuty(app) {
  await app.whoAmI();
  if (!app.me || app.me.must_change) return;
  await load(app, app.unit);
}

async function load(app, unit) {
  app.shiftAbsent = false;
  const shift = await talk(app, () => app.api.shift(unit));
  if (shift === undefined) {
    app.shift = null;
    app.shiftAbsent = app.fault === say("not_there_yet");
    if (app.shiftAbsent) app.fault = "";
    return;
  }
  takeShift(app, shift);
}

// What the list of alarms says depends on it: looked up unasked, and in nobody's way.
export async function knowShift(app) {
  if (!app.me || app.me.must_change || app.me.staff !== app.welcome?.staff || app.screen === "shift") return;
  const shift = await app.api.shift(app.unit).catch(() => null);
  if (shift === null || app.screen === "shift" || app.me?.staff !== app.welcome?.staff) return;
  takeShift(app, shift);
}

function takeShift(app, shift) {
  app.shift = shift;
  app.unit = shift.unit;
  app.chosen = new Set(shift.beds.filter((bed) => bed.mine).map((bed) => bed.place));
  app.draw();
}

async function beginShift(app) {
  const begun = await talk(app, () => app.api.beginShift(app.unit, [...app.chosen]));
  if (begun === undefined) return;
  app.availability = "available";
  await app.store.put("availability", app.availability);
  await load(app, app.unit);
  await ringToHear(app);
}

// The hub rings this phone as an alarm would, so that what is proved is the whole way.
async function ringToHear(app) {
  app.step = "heard";
  app.notHeard = false;
  app.focusNext = true;
  await app.ringer.unlock();
  await talk(app, () => app.api.heard());
}

async function heard(app, alarm) {
  const shown = app.alarms.get(alarm);
  if (shown !== undefined) app.ringer.mute(shown);
  const proved = await talk(app, () => app.api.heard(alarm), { 404: say("ring_over"), not_rang: say("ring_not_reported"), not_signed_on: say("no_shift") });
  if (proved === undefined) return unproved(app, alarm);
  if (app.shift?.shift) app.shift.shift.heard_at = proved.heard_at;
  app.step = "";
  app.tell(say("started"));
  app.go("alarms");
}

// The question stands, and why is said where it is asked; without a sign-in that comes first.
function unproved(app, alarm) {
  const shown = app.alarms.get(alarm);
  if (!app.me) app.go("shift");
  else if (shown !== undefined) app.ringer.unmute(shown);
}

// What cannot be left behind must go to somebody: asks for whom, and then does `work` with the answer.
async function withReceivers(app, work) {
  const attempt = async (receivers) => {
    try {
      await work(receivers);
    } catch (refused) {
      if (refused.error !== "receiver_needed") {
        await talk(app, () => Promise.reject(refused), { 404: say("code_bad") });
        return;
      }
      app.off = { alarms: refused.problem.alarms ?? [], candidates: refused.problem.candidates ?? [], attempt };
      app.step = "off";
      app.focusNext = true;
    }
  };
  await attempt(undefined);
}

function endShift(app) {
  return withReceivers(app, async (receivers) => {
    await app.api.endShift(receivers);
    app.step = "";
    app.availability = "";
    await app.store.drop("availability");
    app.tell(say("signed_off"));
    await load(app, app.unit);
    app.go("alarms");
  });
}

async function signIn(app, form) {
  const { login, password } = Object.fromEntries(new FormData(form));
  const me = await talk(app, () => app.api.signIn(login.trim(), password), { 401: say("wrong"), 403: say("wrong"), 429: say("slow_down") });
  if (me === undefined) return;
  form.reset();
  app.oneTime = me.must_change ? password : "";
  app.me = me;
  app.expired = false;
  await app.store.put("signed-in", true);
  await signedIn(app);
}

async function changePassword(app, form) {
  const { current, new: chosen } = Object.fromEntries(new FormData(form));
  const me = await talk(app, () => app.api.changePassword(app.oneTime || current, chosen), {
    short: say("password_short"), long: say("password_long"), guessed: say("password_guessed"), wrong: say("password_wrong"), 429: say("slow_down"),
  });
  if (me === undefined) return;
  form.reset();
  app.oneTime = "";
  app.me = me;
  await signedIn(app);
}

async function signedIn(app) {
  app.focusNext = true;
  if (app.me.must_change) return;
  if (app.mode === "nobody") await bind(app);
  if (app.screen === "shift") await startDuty(app);
}

function bind(app) {
  return withReceivers(app, async (receivers) => {
    await app.api.bind(receivers);
    app.step = "";
    app.mode = "loading";
    app.link.start();
  });
}

export const dutyActions = {
  boot,
  replace: (app) => follow(app, app.asking),
  keep: (app) => {
    app.asking = null;
    app.focusNext = true;
  },
  forget: async (app) => {
    app.secret = "";
    await app.store.drop("secret");
    app.mode = "unenrolled";
    await app.whoAmI();
  },
  "enrol-this": async (app) => {
    const invited = await talk(app, () => app.api.invite(label(), false));
    if (invited !== undefined) await enrol(app, invited.code);
  },
  bind,
  unit: (app, { unit }) => {
    app.unit = unit;
    return load(app, unit);
  },
  "all-free": (app) => {
    for (const bed of app.shift.beds) if (bed.team.length === 0) app.chosen.add(bed.place);
  },
  beds: (app) => {
    app.step = "beds";
    app.focusNext = true;
  },
  "begin-shift": beginShift,
  "hear-again": ringToHear,
  "try-sound": (app) => app.ringer.tryOut(),
  "not-heard": (app, { alarm }) => {
    const shown = app.alarms.get(alarm);
    if (shown !== undefined) app.ringer.mute(shown);
    app.go("shift");
    app.step = "heard";
    app.notHeard = true;
  },
  heard: (app, { alarm }) => heard(app, alarm),
  off: (app) => {
    app.off = { alarms: [], candidates: [], attempt: () => endShift(app) };
    app.step = "off";
    app.focusNext = true;
  },
  "off-now": endShift,
  stay: (app) => {
    app.step = "";
    app.focusNext = true;
  },
  notify: askToNotify,
  "hand-over": async (app) => {
    const offer = await talk(app, () => app.api.offerHandover());
    if (offer !== undefined) app.offer = offer;
  },
  "sign-out": async (app) => {
    await talk(app, () => app.api.signOut());
    await app.store.drop("signed-in");
    app.shift = null;
    await app.whoAmI();
  },

  changed(app, element) {
    if (element.dataset.bed !== undefined) {
      if (element.checked) app.chosen.add(element.dataset.bed);
      else app.chosen.delete(element.dataset.bed);
    } else if (element.dataset.set === "night") {
      app.ringer.night = element.checked;
      app.store.put("night", element.checked);
    }
    app.draw();
  },

  async submitted(app, form) {
    if (form.dataset.form === "sign-in") await signIn(app, form);
    if (form.dataset.form === "password") await changePassword(app, form);
    if (form.dataset.form === "off") await app.off.attempt(Object.fromEntries(new FormData(form)));
    app.draw();
  },
};
