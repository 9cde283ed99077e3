// The service worker of the phone app: the shell for when the hub is away, and pushes for when the app is shut.
//
// The network comes first, the cache is for a dead spot: after an update nobody keeps an old page. A push shows
// at once that there is an alarm and how urgent, never a name, a room or a text, and tells the hub that the
// phone rang. Notifications open the app; nothing can be answered from them.

import { openStore } from "/static/phone-store.js";
import { say } from "/static/phone-words.js";

const CACHE = "alarmhub-phone";
const PAGE = "/phone";
const SHELL = [
  PAGE, "/manifest.webmanifest", "/static/icon.svg", "/static/base.css", "/static/phone.css",
  "/static/phone.js", "/static/phone-alarms.js", "/static/phone-app.js", "/static/phone-answers.js", "/static/phone-api.js",
  "/static/phone-dom.js", "/static/phone-duty.js", "/static/phone-icons.js",
  "/static/phone-push.js", "/static/phone-ring.js", "/static/phone-shift.js", "/static/phone-socket.js",
  "/static/phone-sounds.js", "/static/phone-store.js", "/static/phone-view.js", "/static/phone-words.js",
];
const NETWORK_WITHIN_MS = 3_000;
const RECEIPT_WITHIN_MS = 8_000;

self.addEventListener("install", (event) => {
  event.waitUntil(fill().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method === "GET" && origin === self.location.origin && SHELL.includes(pathname)) {
    event.respondWith(freshest(event.request, pathname));
  }
});

self.addEventListener("push", (event) => {
  event.waitUntil(ring(read(event.data)));
});

// The open but hidden app rings too; it asks for the notification here, where one for each alarm is kept.
self.addEventListener("message", (event) => {
  const { note, priority, drill } = event.data ?? {};
  if (note) event.waitUntil(show({ alarm: String(note), priority: String(priority), drill: Boolean(drill) }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open());
});

async function fill() {
  const cache = await caches.open(CACHE);
  await cache.addAll(SHELL.map((path) => new Request(path, { cache: "no-cache" })));
}

async function forgetOthers() {
  for (const name of await caches.keys()) if (name.startsWith("alarmhub-") && name !== CACHE) await caches.delete(name);
}

async function freshest(request, path) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(path, { cache: "no-cache", signal: AbortSignal.timeout(NETWORK_WITHIN_MS) });
    if (response.ok) await cache.put(path, response.clone());
    return response;
  } catch {
    return (await cache.match(path)) ?? Response.error();
  }
}

function read(data) {
  let said;
  try {
    said = data?.json() ?? {};
  } catch {
    said = {};
  }
  return { alarm: String(said.alarm ?? said.id ?? ""), rev: Number(said.rev ?? 0), priority: String(said.priority ?? "high"), drill: Boolean(said.drill) };
}

async function ring(push) {
  await show(push);
  await Promise.all([receipt(push), settle(push)]);
}

function show({ alarm, priority, drill }) {
  const title = drill ? say("note_test") : say("note_title");
  return self.registration.showNotification(title, {
    body: say(`p_${priority}`), tag: alarm || "alarm", renotify: !drill, silent: drill,
    requireInteraction: !drill && priority === "high", icon: "/static/icon.svg", badge: "/static/icon.svg",
    vibrate: drill ? undefined : [400, 100, 400, 100, 400], data: { alarm },
  });
}

// Browsers want something shown for each push; a silent drill is nobody's business for longer than that.
async function settle({ alarm, drill }) {
  if (!drill) return;
  for (const note of await self.registration.getNotifications({ tag: alarm || "alarm" })) note.close();
}

async function receipt({ alarm, rev }) {
  const secret = await (await openStore()).get("secret");
  if (!alarm || !secret) return;
  await fetch(`/api/v1/alarms/${encodeURIComponent(alarm)}/receipts`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${secret}` },
    body: JSON.stringify({ event: "rang", rev, via: "webpush" }),
    signal: AbortSignal.timeout(RECEIPT_WITHIN_MS),
  }).catch(() => {});
}

async function open() {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const app = windows.find((one) => new URL(one.url).pathname === PAGE);
  if (app) await app.focus();
  else await self.clients.openWindow(PAGE);
}
