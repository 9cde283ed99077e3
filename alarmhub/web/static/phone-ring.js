// The phone's voice: sound, vibration, the screen kept on. It reports that an alarm rang only when sound was
// really started, or the phone really shook; what it cannot do it says. It decides nothing about alarms.

import { ringOf } from "./phone-alarms.js";
import { WARNING, WARNING_SHAKE, burst, loudness, shake } from "./phone-sounds.js";

const RISE_S = 0.02;
const FALL_S = 0.03;
const HARMONICS = [0, 1, 0.6, 0.45, 0.35, 0.25, 0.15]; // a small speaker carries the upper ones

export class Ringer {
  // `onRang(alarm)`: it sounded for the first time. `onChange()`: what this phone can do has changed.
  constructor({ onRang, onChange, steady = () => performance.now() }) {
    this.onRang = onRang;
    this.onChange = onChange;
    this.steady = steady;
    this.night = false;
    this.context = null;
    this.gain = null;
    this.wave = null;
    this.sounding = [];
    this.ringing = [];
    this.rung = new Map(); // ringOf → when it first sounded, this phone's steady clock
    this.muted = new Set();
    this.nextAt = 0;
    this.shakeAt = 0;
    this.current = "";
    this.warning = false;
    this.warnAt = 0;
    this.lock = null;
    this.wantsLock = false;
    this.shook = false; // whether this browser has ever agreed to vibrate
  }

  // What the browser lets us do

  get canSound() {
    return this.context?.state === "running";
  }

  get canShake() {
    return typeof navigator.vibrate === "function" && navigator.maxTouchPoints > 0;
  }

  get keepsAwake() {
    return this.lock !== null && !this.lock.released;
  }

  get canWake() {
    return "wakeLock" in navigator;
  }

  // Inside a tap or a key: browsers let nothing else turn sound on.
  async unlock() {
    if (this.context === null) {
      const Context = window.AudioContext ?? window.webkitAudioContext;
      if (Context === undefined) return false;
      this.context = new Context({ latencyHint: "interactive" });
      this.gain = this.context.createGain();
      this.gain.connect(this.context.destination);
      this.wave = this.context.createPeriodicWave(new Float32Array(HARMONICS.length), Float32Array.from(HARMONICS));
      this.context.onstatechange = () => this.onChange();
    }
    if (this.context.state !== "running") {
      // Without a touch some browsers leave this promise open for ever: nobody may wait for it alone.
      await Promise.race([this.context.resume().catch(() => {}), new Promise((go) => setTimeout(go, 700))]);
    }
    this.warnAt = 0; // a warning that was mute so far is heard at once
    this.onChange();
    return this.canSound;
  }

  async keepAwake(wanted = this.wantsLock) {
    this.wantsLock = wanted;
    if (!wanted) {
      await this.lock?.release().catch(() => {});
      this.lock = null;
    } else if (this.canWake && !this.keepsAwake && document.visibilityState === "visible") {
      this.lock = await navigator.wakeLock.request("screen").catch(() => null);
      this.lock?.addEventListener("release", () => this.onChange());
    }
    this.onChange();
  }

  // What should ring

  // All alarms that ring now, most urgent first.
  rings(alarms) {
    this.ringing = alarms;
    const alive = new Set(alarms.map(ringOf));
    for (const ring of this.rung.keys()) if (!alive.has(ring)) this.rung.delete(ring);
    for (const ring of this.muted) if (!alive.has(ring)) this.muted.delete(ring);
    if (this.current && !this.audible().some((alarm) => ringOf(alarm) === this.current)) this.hush();
    this.tick();
  }

  mute(alarm) {
    this.muted.add(ringOf(alarm));
    this.rings(this.ringing);
  }

  unmute(alarm) {
    this.muted.delete(ringOf(alarm));
    this.tick();
  }

  isMuted(alarm) {
    return this.muted.has(ringOf(alarm));
  }

  audible() {
    return this.ringing.filter((alarm) => !this.muted.has(ringOf(alarm)));
  }

  warn(on) {
    if (on && !this.warning) this.warnAt = 0;
    this.warning = on;
    this.tick();
  }

  // Several times a second: whatever is due.
  tick() {
    const now = this.steady() / 1000;
    const audible = this.audible();
    // A newcomer is heard once, even below a more urgent one: it has rung only when it was heard.
    const next = audible.find((alarm) => !this.rung.has(ringOf(alarm))) ?? audible[0];
    if (next === undefined) {
      this.current = "";
      this.warnNow(now);
      return;
    }
    const ring = ringOf(next);
    const fresh = ring !== this.current && (next === audible[0] || !this.rung.has(ring));
    if (now >= this.nextAt || (fresh && next === audible[0] && this.current !== "")) this.sound(next, ring, now);
    if (now >= this.shakeAt) this.shakeFor(next, ring, now);
  }

  sound(alarm, ring, now) {
    if (ring !== this.current) this.silence();
    const since = now - (this.rung.get(ring) ?? now);
    const loud = loudness(alarm.priority, this.night, since, this.canShake);
    this.current = ring;
    if (!this.canSound) {
      this.nextAt = now + 0.5; // as soon as somebody touches the page
      return;
    }
    const tones = burst(alarm.kind, alarm.priority, alarm.sound);
    if (loud === 0) {
      this.nextAt = now + 0.25; // it only shakes so far
      return;
    }
    this.play(tones, loud);
    if (alarm.drill) speak("Prov");
    this.nextAt = now + tones.lasts + (this.night && alarm.priority !== "high" ? Math.min(4, tones.repeat) : tones.repeat);
    this.first(alarm, ring, now);
  }

  shakeFor(alarm, ring, now) {
    const { pattern, every } = shake(alarm.priority);
    this.shakeAt = now + every;
    if (this.shaken(pattern)) this.first(alarm, ring, now);
  }

  first(alarm, ring, now) {
    if (this.rung.has(ring)) return;
    this.rung.set(ring, now);
    this.onRang(alarm);
  }

  warnNow(now) {
    if (!this.warning || now < this.warnAt) return;
    this.warnAt = now + WARNING.repeat;
    if (this.canSound) this.play(WARNING, WARNING.loud);
    this.shaken(WARNING_SHAKE);
  }

  // Once, for who asks: as high priority would.
  async tryOut() {
    await this.unlock();
    this.shaken(shake("high").pattern);
    if (this.canSound) this.play(burst("emergency", "high"), 1);
    return this.canSound;
  }

  shaken(pattern) {
    if (!this.canShake || navigator.userActivation?.hasBeenActive === false) return false;
    this.shook = navigator.vibrate(pattern);
    return this.shook;
  }

  play({ pulses }, loud) {
    const begin = this.context.currentTime + 0.01;
    for (const { at, lasts, hz } of pulses) {
      const tone = this.context.createOscillator();
      const shape = this.context.createGain();
      tone.setPeriodicWave(this.wave);
      tone.frequency.value = hz;
      shape.gain.setValueAtTime(0, begin + at);
      shape.gain.linearRampToValueAtTime(loud, begin + at + RISE_S);
      shape.gain.setValueAtTime(loud, begin + at + lasts - FALL_S);
      shape.gain.linearRampToValueAtTime(0, begin + at + lasts);
      tone.connect(shape).connect(this.gain);
      tone.start(begin + at);
      tone.stop(begin + at + lasts + 0.01);
      this.sounding.push(tone);
      tone.onended = () => {
        this.sounding = this.sounding.filter((one) => one !== tone);
        shape.disconnect();
      };
    }
  }

  silence() {
    for (const tone of this.sounding) {
      try {
        tone.stop();
        tone.disconnect();
      } catch {
        // it has ended by itself meanwhile
      }
    }
    this.sounding = [];
  }

  hush() {
    this.silence();
    if (this.canShake && this.shook) navigator.vibrate(0);
    this.current = "";
    this.nextAt = 0;
    this.shakeAt = 0;
  }
}

function speak(word) {
  if (!("speechSynthesis" in window) || speechSynthesis.speaking) return;
  const said = new SpeechSynthesisUtterance(word);
  said.lang = "sv-SE";
  speechSynthesis.speak(said);
}
