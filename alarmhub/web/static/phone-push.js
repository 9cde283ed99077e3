// Push: the service worker, the permission for notifications, and the address under which this phone is woken.
// Without any of them the app works while it is open, and says what it cannot do.

let worker = null;

export function registered() {
  return worker;
}

export function register() {
  if (!("serviceWorker" in navigator)) return null;
  worker = navigator.serviceWorker.register("/sw.js", { type: "module", scope: "/phone" }).catch(() => null);
  return worker;
}

const permission = () => globalThis.Notification?.permission ?? "absent";

// The hub warns of a phone that may not notify: it hears at once that this has changed.
function permitted(app) {
  if (permission() !== app.notify) app.statusAt = 0;
  app.notify = permission();
  app.draw();
}

// Allowed or forbidden in the browser's own settings, behind the page's back.
export async function checkPermission(app) {
  if (permission() !== app.notify) await subscribed(app);
}

export async function watchPermission(app) {
  const kept = await navigator.permissions?.query({ name: "notifications" }).catch(() => null);
  kept?.addEventListener("change", () => checkPermission(app));
}

// Tells the hub where to push to, when both may; `app.pushes` says whether it does.
export async function subscribed(app) {
  permitted(app);
  try {
    const registration = await (worker ?? register());
    const key = app.config?.vapid_public;
    if (!registration?.pushManager || !key || app.notify !== "granted" || !app.secret) return;
    const ready = await navigator.serviceWorker.ready;
    const address = (await ready.pushManager.getSubscription()) ?? (await ready.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
    const { endpoint, keys } = address.toJSON();
    await app.api.putPush(endpoint, keys);
    app.pushes = true;
  } catch {
    app.pushes = false;
  }
  app.draw();
}

// Asked for with its reason on the screen, by somebody's tap.
export async function askToNotify(app) {
  if (globalThis.Notification === undefined) return;
  await Notification.requestPermission();
  await subscribed(app);
}
