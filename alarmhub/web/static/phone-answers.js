// Answers on their way: kept until the hub has said that it took or refused them, sent again with the same
// `req` after every new connection, so that none counts twice and none is lost in a dead spot.

export const TOO_OLD_MS = 15 * 60_000;
const AGAIN_MS = 2_000;

export class Answers {
  // `send(frame)`: whether it could be handed to the socket. `onResult(kept, result)`: the hub's word.
  constructor({ store, send, onResult, onChange, wall = () => Date.now() }) {
    Object.assign(this, { store, send, onResult, onChange, wall });
    this.kept = new Map(); // req → {req, staff, frame, at}
    this.sent = new Set();
    this.staff = "";
    this.againAt = 0;
  }

  async load() {
    for (const answer of await this.store.answers()) this.kept.set(answer.req, answer);
  }

  // What an earlier owner of the phone said is nobody's answer.
  async belongTo(staff) {
    this.staff = staff;
    for (const answer of [...this.kept.values()]) {
      if (answer.staff !== staff && answer.staff !== "") await this.forget(answer.req);
    }
    this.onChange();
  }

  async say(frame) {
    const req = crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].join("-");
    if (frame.type === "availability") {
      for (const one of this.kept.values()) if (one.frame.type === "availability") await this.forget(one.req);
    }
    const answer = { req, staff: this.staff, frame: { ...frame, req }, at: this.wall() };
    this.kept.set(req, answer);
    this.hand(answer);
    this.onChange();
    await this.store.keepAnswer(answer).catch(() => {});
    return req;
  }

  // Nobody knows what became of those under way: they wait with the others.
  cutOff() {
    this.sent.clear();
  }

  // A new connection: everything again, in the order it was said.
  async resend() {
    this.sent.clear();
    const waiting = [...this.kept.values()].sort((one, other) => one.at - other.at);
    for (const answer of waiting) {
      if (this.wall() - answer.at > TOO_OLD_MS) {
        await this.forget(answer.req);
        this.onResult(answer, { ok: false, error: "too_old" });
      } else {
        this.hand(answer);
      }
    }
    this.onChange();
  }

  // The hub could not take some: try those again.
  tick(now) {
    if (now < this.againAt || this.sent.size === this.kept.size) return;
    this.againAt = now + AGAIN_MS;
    for (const answer of this.kept.values()) if (!this.sent.has(answer.req)) this.hand(answer);
  }

  hand(answer) {
    if (this.send(answer.frame)) this.sent.add(answer.req);
  }

  async result(result) {
    const answer = this.kept.get(result.req);
    if (answer === undefined) return;
    this.sent.delete(result.req);
    if (!result.ok && result.retry) {
      this.onChange();
      return;
    }
    await this.forget(result.req);
    this.onResult(answer, result);
    this.onChange();
  }

  async forget(req) {
    this.kept.delete(req);
    this.sent.delete(req);
    await this.store.dropAnswer(req).catch(() => {});
  }

  waiting() {
    return [...this.kept.values()].filter((answer) => !this.sent.has(answer.req));
  }

  of(alarm) {
    return [...this.kept.values()].filter((answer) => answer.frame.alarm === alarm);
  }
}
