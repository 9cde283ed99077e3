// The app as one value: its parts, and what they share. What the hub says comes in at `take`, what a person says
// at `answer` and `go`, time at `tick`; every change ends in `draw`.

import { Alarms, ringOf } from "./phone-alarms.js";
import { Answers } from "./phone-answers.js";
import { Api } from "./phone-api.js";
import { knowShift, startDuty } from "./phone-duty.js";
import { h, morph } from "./phone-dom.js";
import { registered } from "./phone-push.js";
import { Ringer } from "./phone-ring.js";
import { askingScreen, enrolScreen, moreScreen, nobodyScreen, refusedScreen, shiftScreen, shiftThumb } from "./phone-shift.js";
import { CLOSED, Link } from "./phone-socket.js";
import { alarmList, alarmScreen, availability, banners, covering, lastOne, placeOf, tabs, topBar, typeLabel } from "./phone-view.js";
import { say, sayOr } from "./phone-words.js";

const STATUS_EVERY_MS = 60_000;
const EARLY_MS = 500;
const TOAST_MS = 6_000;

export class App {
  constructor(store) {
    Object.assign(this, {
      store, mode: "loading", screen: "alarms", opened: "", secret: "", device: "", pool: false, config: null,
      me: null, expired: false, shift: null, shiftAbsent: false, step: "", unit: "", chosen: new Set(), off: null,
      fault: "", storing: true, banners: [], warnings: [], welcome: null, lostAt: 0, hushed: false, drillAt: 0,
      availability: "", lastOne: null, notify: globalThis.Notification?.permission ?? "absent", pushes: false,
      enrolling: false, asking: null, offer: null, stale: false, toast: "", toastUntil: 0, notHeard: false,
      aside: new Set(), offset: Date.now() - performance.now(), statusAt: 0, tellsStatus: true, announced: "",
      focusNext: false, since: new Map(), rendered: new Set(), oneTime: "",
    });
    this.api = new Api(() => this.secret);
    this.alarms = new Alarms();
    this.ringer = new Ringer({ onRang: (alarm) => this.rang(alarm), onChange: () => this.capable() });
    this.link = new Link({
      url: () => this.config.socket,
      hello: () => (this.secret && this.config ? { type: "hello", token: this.secret, device: this.device, app: "web", features: [] } : null),
      onFrame: (frame) => this.take(frame), onContact: (contact) => this.contact(contact),
      onClosed: (code) => this.closed(code),
    });
    this.answers = new Answers({
      store, send: (frame) => this.link.send(frame), onResult: (kept, result) => this.answered(kept, result), onChange: () => this.draw(),
    });
  }

  // The hub's clock, as its newest frame and this phone's steady clock have it; never the phone's own time.
  hubNow() {
    return performance.now() + this.offset;
  }

  // Somebody counts on this phone, also before it has reached the hub for the first time.
  get onDuty() {
    return this.mode === "ready" || (this.mode === "loading" && this.secret !== "");
  }

  get needsTouch() {
    return this.onDuty && !this.ringer.canSound;
  }

  // From the hub

  take(frame) {
    if (typeof frame.at === "number") this.offset = frame.at - performance.now();
    const taken = this[`on_${frame.type}`];
    if (taken !== undefined) taken.call(this, frame);
  }

  on_welcome(frame) {
    const another = this.welcome !== null && this.welcome.staff !== frame.staff;
    if (another) this.alarms.clear();
    this.welcome = frame;
    this.mode = "ready";
    this.storing = true;
    this.alarms.begin();
    this.banners = [];
    this.statusAt = 0;
    this.ringer.keepAwake(true);
    if (frame.availability) this.availability = frame.availability;
  }

  async on_synced() {
    for (const gone of this.alarms.synced()) this.tell(`${placeOf(gone)}: ${say("g_synced")}`);
    this.rering();
    await this.answers.belongTo(this.welcome.staff);
    await this.answers.resend();
    this.checkVersion();
    knowShift(this);
  }

  on_alarm(frame) {
    const before = this.alarms.get(frame.id);
    if (!this.alarms.show(frame)) return;
    if (frame.drill && !frame.rings) this.silentDrill(frame, before);
    this.rering();
    this.announce();
  }

  on_gone(frame) {
    const was = this.alarms.takeBack(frame);
    if (this.opened === frame.id && this.screen === "alarm") this.go("alarms");
    this.rering();
    const own = frame.reason === "declined" || frame.reason === "released";
    if (was !== undefined && !own && !was.hearing && !(was.drill && !was.rings)) {
      this.tell(`${placeOf(was)}: ${frame.reason === "taken" ? frame.text : sayOr(`g_${frame.reason}`, frame.text)}`);
    }
  }

  on_result(frame) {
    // A hub that does not know what a status is, or this one, is not told again: twenty faults end a connection.
    if (["unknown_type", "invalid_field"].includes(frame.error) && !frame.req) this.tellsStatus = false;
    this.answers.result(frame);
  }

  // What the phone can do has changed: the hub watches over that too.
  capable() {
    if (this.toldMute !== this.needsTouch) this.statusAt = 0;
    this.toldMute = this.needsTouch;
    this.draw();
  }

  on_state(frame) {
    const back = frame.storing && !this.storing;
    if (!frame.storing && this.storing) this.hushed = false;
    this.storing = frame.storing;
    this.banners = frame.banners ?? [];
    this.warnings = frame.warnings ?? [];
    if (back) this.answers.resend();
    this.warnIfDeaf();
    this.draw();
  }

  // A machine's question, answered by the machine: nothing is heard.
  silentDrill(frame, before) {
    if (before !== undefined && before.turn === frame.turn) return;
    this.link.send({ type: "rang", alarm: frame.id, rev: frame.rev });
    this.drillAt = this.hubNow();
  }

  rang(alarm) {
    this.link.send({ type: "rang", alarm: alarm.id, rev: alarm.rev });
    if (document.visibilityState === "hidden") registered()?.then((worker) => worker?.active?.postMessage({ note: alarm.id, priority: alarm.priority, drill: alarm.drill }));
  }

  seen(alarm) {
    this.link.send({ type: "seen", alarm: alarm.id, rev: alarm.rev });
  }

  contact(contact) {
    if (contact !== "live") this.answers.cutOff();
    if (contact === "lost") {
      this.lostAt = this.hubNow();
      this.hushed = false;
      this.speak("urgent", `${say("contact_lost")}. ${say("contact_lost_more")}`);
    } else if (contact === "live" && this.lostAt) {
      this.lostAt = 0;
      this.tell(say("contact_back"));
    }
    this.warnIfDeaf();
    this.draw();
  }

  warnIfDeaf() {
    const deaf = this.link.contact === "lost" || (this.link.contact === "live" && !this.storing);
    this.ringer.warn(deaf && !this.hushed && this.onDuty);
  }

  closed(code) {
    const mode = { [CLOSED.BAD_TOKEN]: "refused", [CLOSED.NOBODY]: "nobody", [CLOSED.REPLACED]: "replaced", [CLOSED.FAULTS]: "faults" }[code];
    if (code === CLOSED.HANDED_OVER) this.forgetPerson();
    if (mode !== undefined) {
      this.mode = mode;
      if (mode !== "faults") this.forgetPerson();
      this.ringer.keepAwake(false);
      this.focusNext = true;
      if (mode === "nobody") this.whoAmI();
      this.warnIfDeaf();
    }
    this.draw();
  }

  // Its alarms are somebody else's business now.
  forgetPerson() {
    this.alarms.clear();
    this.shift = null;
    this.opened = "";
    this.availability = "";
    this.welcome = null;
    this.rering();
  }

  // Seen, and put behind the list for now: it sounds on. What rings anew covers the screen again.
  putAside() {
    for (const alarm of this.ringer.audible()) this.aside.add(ringOf(alarm));
  }

  rering() {
    const rings = new Set(this.alarms.ringing().map(ringOf));
    for (const ring of this.aside) if (!rings.has(ring)) this.aside.delete(ring);
    this.ringer.rings(this.alarms.ringing());
    this.draw();
  }

  // Said once for each new ringing, and nothing about countdowns.
  announce() {
    const top = covering(this);
    const ring = top === undefined ? "" : ringOf(top);
    if (ring === this.announced) return;
    this.announced = ring;
    if (top !== undefined) this.speak("urgent", `${top.drill ? say("prov") : typeLabel(top)}, ${say("priority", { p: say(`p_${top.priority}`) })}. ${placeOf(top)}, ${top.unit_label}.`);
  }

  // From the person

  answer(alarm, answer) {
    this.answers.say({ type: answer, alarm: alarm.id, rev: alarm.rev });
    // Silent at once, also in a dead spot; if the hub refuses, it rings again.
    if (alarm.rings && answer !== "help") this.ringer.mute(alarm);
    // Who takes it says next that they are there: that button is on the alarm's own screen.
    if (["accept", "take_over", "attend"].includes(answer) && this.opened !== alarm.id) {
      this.opened = alarm.id;
      this.go("alarm");
    }
    this.draw();
  }

  answered(kept, result) {
    const { type, alarm: id } = kept.frame;
    const alarm = this.alarms.get(id);
    if (type === "availability") this.availabilitySaid(kept.frame, result);
    else if (result.error === "too_old") this.tell(say("never_arrived", { answer: say(type) }));
    else if (result.ok && !result.error) this.tell(sayOr(`ok_${type}`, ""));
    else this.tell(sayOr(`e_${result.error}`, result.text ?? say("e_other", { error: result.error })));
    if (alarm !== undefined && (!result.ok || result.error)) {
      this.ringer.unmute(alarm);
      this.rering();
    }
  }

  availabilitySaid(frame, result) {
    if (result.ok) {
      this.availability = frame.state;
      this.lastOne = null;
      if (this.screen === "last") this.screen = "alarms";
      this.store.put("availability", frame.state);
    } else if (result.error === "last_one") {
      this.lastOne = { state: frame.state, candidates: result.candidates ?? [] };
      this.go("last");
    } else {
      this.tell(sayOr(`e_${result.error}`, result.text ?? say("e_other", { error: result.error })));
    }
  }

  go(screen) {
    this.screen = screen;
    this.fault = "";
    this.focusNext = true;
    if (history.state?.screen !== screen) history.pushState({ screen, opened: this.opened }, "");
    this.step = screen === "shift" ? "" : this.step === "heard" ? "" : this.step;
    if (screen === "shift") startDuty(this);
    this.draw();
  }

  // Signed in, signed out, or it has run out: alarms ring and are answered all the same.
  async whoAmI() {
    try {
      this.me = await this.api.me();
      this.expired = false;
      await this.store.put("signed-in", true);
    } catch (refused) {
      if (refused.status === 401 || refused.status === 403) {
        this.me = null;
        this.expired = Boolean(await this.store.get("signed-in"));
      }
    }
    this.draw();
  }

  async checkVersion() {
    try {
      const config = await this.api.config();
      this.stale = Boolean(this.config?.version && config.version !== this.config.version);
    } catch {
      // asked again at the next connection
    }
    this.draw();
  }

  tell(text) {
    if (!text) return;
    this.toast = text;
    this.toastUntil = performance.now() + TOAST_MS;
    this.speak("spoken", text);
    this.draw();
  }

  speak(where, text) {
    document.getElementById(where).textContent = text;
  }

  // Several times a second, from a worker that no browser puts to sleep.
  tick() {
    this.link.tick();
    this.ringer.tick();
    const now = performance.now();
    this.answers.tick(now);
    if (this.toast && now > this.toastUntil) this.toast = "";
    if (this.mode === "ready" && now >= this.statusAt) this.sendStatus(now);
    const second = Math.floor(this.hubNow() / 1000);
    if (second !== this.drawnSecond) this.draw();
    this.drawnSecond = second;
  }

  async sendStatus(now) {
    this.statusAt = now + STATUS_EVERY_MS;
    if (!this.tellsStatus) return;
    const battery = await navigator.getBattery?.().catch(() => null);
    this.link.send({
      type: "status", muted: !this.ringer.canSound, push: this.pushes,
      visible: document.visibilityState === "visible",
      ...(this.notify === "absent" ? {} : { notifications: this.notify }),
      ...(battery ? { battery: Math.round(battery.level * 100), charging: battery.charging } : {}),
    });
  }

  draw() {
    if (this.drawing) return;
    this.drawing = true;
    queueMicrotask(() => {
      this.drawing = false;
      this.render();
    });
  }

  // Whether something to press has only just appeared: a finger on its way meant what was there before.
  early(key) {
    this.rendered.add(key);
    if (!this.since.has(key)) {
      this.since.set(key, performance.now());
      setTimeout(() => this.draw(), EARLY_MS + 10);
    }
    return performance.now() - this.since.get(key) < EARLY_MS;
  }

  render() {
    this.rendered = new Set();
    this.paint();
    for (const key of this.since.keys()) if (!this.rendered.has(key)) this.since.delete(key);
  }

  paint() {
    const over = this.mode === "ready" ? covering(this) : undefined;
    const root = document.getElementById("app");
    const covered = over !== undefined;
    const body = covered ? [] : this.body();
    morph(root, [
      h("div", { class: "under", "data-key": "under" }, topBar(this),
        h("div", { class: "banners", "data-key": "banners" }, banners(this)), h("div", { class: "body", "data-key": "body" }, body),
        h("div", { class: "toast", "data-key": "toast", "aria-hidden": "true" }, this.toast && !covered && h("p", {}, this.toast)), covered ? null : this.foot()),
      ...(covered ? [h("div", { class: "over", "data-key": "over" }, alarmScreen(this, over, true))] : []),
    ]);
    document.body.classList.toggle("covered", covered);
    this.focus(over);
  }

  body() {
    if (this.asking) return [askingScreen(this)];
    if (this.mode === "loading") return [h("p", { class: "calm" }, say("loading"))];
    if (this.mode === "unenrolled") return [enrolScreen(this)];
    if (this.mode === "nobody") return [nobodyScreen(this)];
    if (this.mode !== "ready") return [refusedScreen(this)];
    const opened = this.screen === "alarm" ? this.alarms.get(this.opened) : undefined;
    if (opened !== undefined) return [alarmScreen(this, opened, false)];
    if (this.screen === "shift") return [shiftScreen(this)];
    if (this.screen === "more") return [moreScreen(this)];
    if (this.screen === "last" && this.lastOne) return [lastOne(this)];
    return [alarmList(this)];
  }

  foot() {
    if (this.mode !== "ready" || this.asking || this.screen === "alarm") return null;
    return h("div", { class: "foot", "data-key": "foot" }, this.screen === "alarms" && availability(this), shiftThumb(this), tabs(this, ["alarms", "shift", "more"]));
  }

  // A new screen takes the focus to its heading, for keyboard and screen reader.
  focus(over) {
    const ring = over === undefined ? "" : ringOf(over);
    const moved = ring !== this.focused;
    this.focused = ring;
    if (!(moved && over !== undefined) && !this.focusNext) return;
    this.focusNext = false;
    document.querySelector(over === undefined ? "#page-title, #full-title, #last-title" : ".over #full-title")?.focus({ preventScroll: true });
  }
}

