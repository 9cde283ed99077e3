// The board's voice: tones made in the browser, one pattern a priority, repeated as long as something calls.
// Bursts as in IEC 60601-1-8 (five quick, three, two), so that nobody takes them for a telephone. Browsers let no
// page sound before somebody has touched it, or the kiosk allows it: `locked` says so.

const BURSTS = {
  high: { at: [0, 0.2, 0.4, 0.75, 0.95], tone: [784, 784, 784, 988, 988], for_s: 0.15, every_ms: 5000 },
  medium: { at: [0, 0.3, 0.6], tone: [659, 659, 784], for_s: 0.2, every_ms: 12000 },
  low: { at: [0, 0.4], tone: [523, 440], for_s: 0.25, every_ms: 25000 },
  lost: { at: [0, 0.5], tone: [392, 294], for_s: 0.4, every_ms: 30000 },
};
export const LOUDNESS = ["high", "lost", "medium", "low"];

export class Voice {
  constructor() {
    this.context = null;
    this.last = null; // which pattern, and when it began
    this.bursts = 0; // since the page was opened, for whoever looks after it
  }

  /** Whether the browser still forbids it. */
  get locked() {
    return this.context === null || this.context.state !== "running";
  }

  /** Ask for it; on a kiosk at once, elsewhere from a touch. */
  async unlock() {
    if (!("AudioContext" in window)) return;
    this.context ??= new AudioContext();
    try {
      await this.context.resume();
    } catch {
      // the button stays
    }
  }

  /** What calls now: a name of BURSTS, or "" for silence. A louder one interrupts at once. */
  call(name, now) {
    const burst = BURSTS[name];
    if (!burst || this.locked) {
      if (!burst) this.last = null;
      return;
    }
    if (this.last && this.last.name === name && now - this.last.at < burst.every_ms) return;
    this.last = { name, at: now };
    this.bursts += 1;
    burst.at.forEach((after, i) => this.tone(burst.tone[i], after, burst.for_s));
  }

  tone(hertz, after, seconds) {
    const from = this.context.currentTime + 0.05 + after;
    const gain = this.context.createGain();
    gain.connect(this.context.destination);
    gain.gain.setValueAtTime(0, from);
    gain.gain.linearRampToValueAtTime(0.5, from + 0.02);
    gain.gain.setValueAtTime(0.5, from + seconds - 0.03);
    gain.gain.linearRampToValueAtTime(0, from + seconds);
    // Overtones carry past hearing loss and through a wall where one pure tone does not.
    [1, 2, 3, 4].forEach((n) => {
      const tone = this.context.createOscillator();
      const share = this.context.createGain();
      share.gain.value = 0.5 / n;
      tone.frequency.value = hertz * n;
      tone.connect(share).connect(gain);
      tone.start(from);
      tone.stop(from + seconds);
    });
  }
}

/** Which pattern a board's state calls for, under its setting ("on", "high", "off"). */
export function calling(alarms, { contact, storing, setting }) {
  if (setting === "off") return "";
  const sounds = alarms.map((alarm) => alarm.sound);
  const heard = contact ? sounds : [];
  if (!contact || !storing) heard.push("lost");
  const loud = LOUDNESS.find((name) => heard.includes(name)) || "";
  return setting === "high" && (loud === "medium" || loud === "low") ? "" : loud;
}
