// The connection to the hub: hello, beats, frames, and coming back. It knows the order of things on the socket
// and nothing about alarms. It never gives up; what it cannot know it says: `contact` is seeking, live or lost.

export const SUBPROTOCOL = "alarmhub.phone.v1";
export const LOUD_AFTER_MS = 7_000; // silence of the hub; with beats every 3 s heard of within 10 s of a cut
const RETRY_LEAST_MS = 300;
const RETRY_MOST_MS = 10_000;
const OPEN_WITHIN_MS = 5_000;

export const CLOSED = {
  RESTART: 1012, BAD_TOKEN: 4401, NOBODY: 4403, REPLACED: 4409, HANDED_OVER: 4411, FAULTS: 4429,
};
const FINAL = new Set([CLOSED.BAD_TOKEN, CLOSED.NOBODY, CLOSED.REPLACED, CLOSED.FAULTS]);

// Milliseconds before the next attempt: growing, spread, at most ten seconds.
export function retryAfter(attempt, chance) {
  const most = Math.min(RETRY_MOST_MS, RETRY_LEAST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(most * (0.5 + chance / 2));
}

export class Link {
  // `url()`: where the socket is. `hello()`: the first frame, or null when this phone has no secret.
  // `onFrame(frame)`, `onContact(contact)`, `onClosed(code, final)`.
  constructor({ url, hello, onFrame, onContact, onClosed, steady = () => performance.now(), open }) {
    Object.assign(this, { url, hello, onFrame, onContact, onClosed, steady });
    this.open = open ?? ((where) => new WebSocket(where, SUBPROTOCOL));
    this.socket = null;
    this.contact = "seeking";
    this.stopped = true;
    this.attempt = 0;
    this.nextAt = 0;
    this.openedAt = 0;
    this.heardAt = this.steady();
    this.beatAt = 0;
    this.beatEvery = 3_000;
    this.live = false;
  }

  start() {
    this.stopped = false;
    this.heardAt = this.steady();
    this.hurry();
  }

  stop() {
    this.stopped = true;
    this.drop();
    this.become("seeking");
  }

  // The network is back, or somebody looks at the page: do not wait any longer.
  hurry() {
    if (this.stopped) return;
    this.attempt = 0;
    this.nextAt = 0;
    this.tick();
  }

  send(frame) {
    if (!this.live || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  // Several times a second.
  tick() {
    if (this.stopped) return;
    const now = this.steady();
    if (this.socket === null) {
      if (now >= this.nextAt) this.connect(now);
    } else if (!this.live) {
      if (now - this.openedAt >= OPEN_WITHIN_MS) this.lost(now);
    } else if (now - this.heardAt >= LOUD_AFTER_MS) {
      this.lost(now);
    } else if (now >= this.beatAt) {
      this.beatAt = now + this.beatEvery;
      this.send({ type: "beat" });
    }
    if (!this.live && now - this.heardAt >= LOUD_AFTER_MS) this.become("lost");
  }

  connect(now) {
    const hello = this.hello();
    if (hello === null) return;
    this.openedAt = now;
    let socket;
    try {
      socket = this.open(this.url());
    } catch {
      this.again(now);
      return;
    }
    this.socket = socket;
    const mine = (work) => (event) => this.socket === socket && work(event);
    socket.onopen = mine(() => socket.send(JSON.stringify(hello)));
    socket.onmessage = mine((event) => this.take(event.data));
    socket.onclose = mine((event) => this.closed(event.code));
  }

  take(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    this.heardAt = this.steady();
    if (frame.type === "welcome") {
      this.live = true;
      this.attempt = 0;
      this.beatEvery = Math.min(4_500, Math.max(500, 1000 * (frame.beat_every || 3)));
      this.beatAt = this.heardAt + this.beatEvery;
      this.become("live");
    }
    this.onFrame(frame);
  }

  closed(code) {
    this.socket = null;
    this.live = false;
    const final = FINAL.has(code);
    if (final) this.stopped = true;
    else this.again(this.steady(), code === CLOSED.RESTART || code === CLOSED.HANDED_OVER);
    if (this.contact === "live") this.become("seeking");
    this.onClosed(code, final);
  }

  lost(now) {
    this.drop();
    this.again(now);
    if (this.contact === "live") this.become("seeking");
  }

  again(now, soon = false) {
    this.nextAt = now + (soon ? retryAfter(0, Math.random()) : retryAfter(this.attempt, Math.random()));
    this.attempt += 1;
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    this.live = false;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  become(contact) {
    if (this.contact === contact) return;
    this.contact = contact;
    this.onContact(contact);
  }
}
