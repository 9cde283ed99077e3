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

// Tells the hub where to push to, when both may; `app.pushes` says whether it does.
export async function subscribed(app) {
  app.notify = globalThis.Notification?.permission ?? "absent";
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
  app.notify = await Notification.requestPermission();
  await subscribed(app);
}
