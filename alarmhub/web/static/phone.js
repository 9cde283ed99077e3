// The phone app begins here: what is pressed, and what the browser says, find their way to the app.

import { App } from "./phone-app.js";
import { dutyActions, knowShift } from "./phone-duty.js";
import { checkPermission, subscribed, watchPermission } from "./phone-push.js";
import { openStore } from "./phone-store.js";
import { language } from "./phone-words.js";

const PRESSED = {
  unlock: (app) => app.ringer.unlock(),
  hush: (app) => {
    app.hushed = true;
    app.warnIfDeaf();
  },
  answer: (app, { alarm, answer }) => app.alarms.get(alarm) && app.answer(app.alarms.get(alarm), answer),
  mute: (app, { alarm }) => {
    const shown = app.alarms.get(alarm);
    if (shown === undefined) return;
    app.seen(shown);
    app.ringer.mute(shown);
  },
  open: (app, { alarm }) => {
    app.opened = alarm;
    app.seen(app.alarms.get(alarm));
    app.go("alarm");
  },
  list: (app) => {
    for (const alarm of app.ringer.audible()) app.seen(alarm);
    app.putAside();
    app.go("alarms");
  },
  back: (app) => app.go("alarms"),
  go: (app, { to }) => app.go(to),
  availability: (app, { state }) => app.answers.say({ type: "availability", state }),
  substitute: (app, { state, staff }) => app.answers.say({ type: "availability", state, substitute: staff }),
  reload: () => location.reload(),
  reconnect: (app) => {
    app.mode = "loading";
    app.link.start();
  },
  ...dutyActions,
};

async function press(app, element) {
  if (element.getAttribute("aria-disabled") === "true") return;
  const act = PRESSED[element.dataset.do];
  if (act !== undefined) await act(app, element.dataset);
  app.draw();
}

function listen(app) {
  const root = document.getElementById("app");
  root.addEventListener("click", (event) => {
    const element = event.target.closest("[data-do]");
    if (element !== null) press(app, element);
  });
  root.addEventListener("change", (event) => dutyActions.changed(app, event.target));
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    dutyActions.submitted(app, event.target);
  });
  // Any touch turns the sound on, wherever it lands.
  for (const kind of ["pointerup", "keydown"]) document.addEventListener(kind, () => app.ringer.canSound || app.ringer.unlock(), true);
  window.addEventListener("online", () => app.link.hurry());
  document.addEventListener("visibilitychange", () => {
    app.statusAt = 0;
    if (document.visibilityState === "visible") {
      app.ringer.keepAwake();
      app.link.hurry();
      app.whoAmI().then(() => knowShift(app));
      checkPermission(app);
    }
  });
  // A link scanned into the page that is open already.
  window.addEventListener("hashchange", () => location.hash && location.reload());
  window.addEventListener("popstate", (event) => {
    app.screen = event.state?.screen ?? "alarms";
    app.opened = event.state?.opened ?? "";
    app.focusNext = true;
    app.draw();
  });
  // Both: the worker is not held back in the background, but lies outside the service worker's scope and so is
  // missing where the app is opened in a dead spot.
  new Worker("/static/phone-pulse.js").onmessage = () => app.tick();
  setInterval(() => app.tick(), 500);
}

async function begin() {
  document.documentElement.lang = language;
  const app = new App(await openStore());
  globalThis.alarmhub = app; // for whoever looks into a phone with a debugger, and for tests
  app.secret = (await app.store.get("secret")) ?? "";
  app.device = (await app.store.get("device")) ?? "";
  app.pool = Boolean(await app.store.get("pool"));
  app.availability = (await app.store.get("availability")) ?? "";
  app.ringer.night = Boolean(await app.store.get("night"));
  await app.answers.load();
  listen(app);
  app.draw();
  await dutyActions.boot(app);
  subscribed(app);
  watchPermission(app);
}

begin();
