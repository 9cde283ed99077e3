// A board's line to the hub: Server-Sent Events over fetch, since an EventSource cannot carry a secret. It comes
// again by itself with back-off and jitter, and says when nothing has been heard for too long. It refuses to
// know what a board shows.

export const SILENT_MS = 8000; // three beats missed; the wall must say so within 10 s
const AGAIN_MS = [200, 1000, 2000, 4000];
const REFUSED_AGAIN_MS = 10000;
const LONGEST_EVENT = 4 * 1024 * 1024;

/** The events in a text stream: calls `on(name, data)` for each whole one; returns what is left over. */
export function eventsIn(text, on) {
  const blocks = text.split("\n\n");
  const rest = blocks.pop();
  for (const block of blocks) {
    let name = "message";
    const data = [];
    for (const line of block.split("\n")) {
      if (line.startsWith("event: ")) name = line.slice(7);
      else if (line.startsWith("data: ")) data.push(line.slice(6));
    }
    if (data.length) on(name, data.join("\n"));
  }
  return rest;
}

/** Follows one board for ever. `on`: {board(frame), beat(at), refused(status), heard()}. */
export class Feed {
  constructor({ url, secret, on }) {
    this.url = url;
    this.secret = secret;
    this.on = on;
    this.heardAt = -Infinity; // performance.now(); of anything from the hub
    this.tries = 0;
    this.abort = null;
  }

  /** Whether the hub has been heard lately. */
  get inContact() {
    return performance.now() - this.heardAt < SILENT_MS;
  }

  async run() {
    for (;;) {
      let wait = null;
      try {
        wait = await this.once();
      } catch {
        // a network that is gone says so in many ways
      }
      if (wait === null) wait = AGAIN_MS[Math.min(this.tries++, AGAIN_MS.length - 1)] * (0.75 + Math.random() / 2);
      await new Promise((go) => setTimeout(go, wait));
    }
  }

  /** One connection; how long to wait before the next, null = back off. */
  async once() {
    const abort = new AbortController();
    this.abort = abort;
    let alive = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - alive > SILENT_MS) abort.abort();
    }, 500);
    try {
      const headers = { Accept: "text/event-stream" };
      if (this.secret) headers.Authorization = `Bearer ${this.secret}`;
      const answer = await fetch(this.url, { headers, cache: "no-store", signal: abort.signal, credentials: "same-origin" });
      alive = performance.now();
      if (!answer.ok || !answer.body) {
        if ([401, 403, 404].includes(answer.status)) {
          this.on.refused(answer.status);
          return REFUSED_AGAIN_MS;
        }
        return null;
      }
      let again = false;
      let rest = "";
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return again ? 0 : null;
        alive = performance.now();
        rest = eventsIn(rest + value, (name, data) => {
          again = this.take(name, data) || again;
        });
        if (rest.length > LONGEST_EVENT) return null;
      }
    } finally {
      clearInterval(watch);
      abort.abort();
    }
  }

  /** One event; true when the hub asks to come again. */
  take(name, data) {
    if (name === "again") return true;
    if (name !== "board" && name !== "beat") return false;
    this.heardAt = performance.now();
    this.tries = 0;
    const said = JSON.parse(data);
    if (name === "board") this.on.board(said);
    else this.on.beat(said);
    return false;
  }
}
