// The alarms this phone shows: whole snapshots as the hub sent them, and nothing the hub did not send.
// Pure: no clock, no page, no sound. Lower revisions are ignored; what was not sent before `synced` is gone.

const URGENCY = { high: 0, medium: 1, low: 2, information: 3 };
const KINDS = [
  "assault", "team", "emergency", "assistance", "clinical", "toilet_call", "patient_call", "request", "door",
  "technical", "drill",
];

export class Alarms {
  constructor() {
    this.shown = new Map();
    this.revs = new Map();
    this.fresh = null; // ids sent since welcome, until synced
  }

  begin() {
    this.fresh = new Set();
  }

  // Whether the snapshot was news.
  show(frame) {
    this.fresh?.add(frame.id);
    if (frame.rev < (this.revs.get(frame.id) ?? 0)) return false;
    this.revs.set(frame.id, frame.rev);
    this.shown.set(frame.id, frame);
    return true;
  }

  // The alarm that went, if it was shown.
  takeBack(frame) {
    if (frame.rev < (this.revs.get(frame.id) ?? 0)) return undefined;
    this.revs.set(frame.id, frame.rev);
    const was = this.shown.get(frame.id);
    this.shown.delete(frame.id);
    return was;
  }

  // All were sent: the others are gone.
  synced() {
    const gone = [...this.shown.values()].filter((alarm) => !this.fresh?.has(alarm.id));
    for (const alarm of gone) this.shown.delete(alarm.id);
    this.fresh = null;
    return gone;
  }

  clear() {
    this.shown.clear();
    this.revs.clear();
  }

  get(id) {
    return this.shown.get(id);
  }

  // Most urgent first. Silent drills are a machine's business.
  listed() {
    return [...this.shown.values()].filter((alarm) => !alarm.drill || alarm.rings).sort(moreUrgent);
  }

  ringing() {
    return this.listed().filter((alarm) => alarm.rings);
  }
}

export function moreUrgent(one, other) {
  return (
    Number(one.drill) - Number(other.drill) ||
    Number(other.rings) - Number(one.rings) ||
    (URGENCY[one.priority] ?? 3) - (URGENCY[other.priority] ?? 3) ||
    rank(one) - rank(other) ||
    one.raised_at - other.raised_at ||
    (one.id < other.id ? -1 : 1)
  );
}

function rank(alarm) {
  const place = KINDS.indexOf(alarm.kind);
  return place < 0 ? KINDS.length : place;
}

// One ringing of one alarm: a new turn, or a worse alarm, rings anew.
export function ringOf(alarm) {
  return `${alarm.id} ${alarm.turn} ${alarm.kind} ${alarm.priority}`;
}

// A number or address to call, or "" where it is none a phone can dial.
export function dialled(callback) {
  const text = String(callback ?? "").trim();
  if (/^(tel|sips?):[^\s"'<>\\]{1,120}$/i.test(text)) return text;
  const digits = text.replace(/[\s()./-]/g, "");
  return /^\+?[0-9*#]{2,20}$/.test(digits) ? `tel:${digits}` : "";
}
