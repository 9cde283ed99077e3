// What an alarm sounds and feels like, as numbers. Pure: nothing here makes a sound.
//
// The structure of bursts follows IEC 60601-1-8: high is ten pulses in two bursts of five (three, a gap, two),
// medium three, low two, further apart; pulses rise softly, fundamentals lie between 150 and 1000 Hz, and
// bursts are repeated the sooner the more urgent. Which tones a kind has is ours.

const MELODIES = {
  call: [523, 659],
  toilet: [587, 494],
  assistance: [523, 659, 784],
  emergency: [880, 740, 880, 740, 880],
  team: [523, 659, 784, 659, 988],
  assault: [988, 494, 988, 494, 988],
  monitor: [440, 587, 740],
  technical: [392, 330],
  door: [784, 622],
  request: [659, 659],
  drill: [440, 440],
};

const OF_KIND = {
  patient_call: "call", toilet_call: "toilet", assistance: "assistance", emergency: "emergency", team: "team",
  assault: "assault", clinical: "monitor", technical: "technical", door: "door", request: "request",
  drill: "drill",
};

const CLASSES = {
  high: { count: 10, pulse: 0.15, space: 0.1, repeat: 2.5, loud: 1 },
  medium: { count: 3, pulse: 0.2, space: 0.2, repeat: 4, loud: 0.8 },
  low: { count: 2, pulse: 0.22, space: 0.22, repeat: 16, loud: 0.6 },
  information: { count: 1, pulse: 0.22, space: 0.22, repeat: 30, loud: 0.45 },
};

// Milliseconds of vibration and pause; felt through a pocket, told apart by length.
const SHAKES = {
  high: [400, 100, 400, 100, 400, 300, 400, 100, 400],
  medium: [350, 200, 350],
  low: [250],
  information: [120],
};
const SHAKE_EVERY = { high: 2.5, medium: 4, low: 5, information: 30 };

export const NIGHT_SHAKES_S = 5;
export const NIGHT_RAMP_S = 20;
const NIGHT_LEAST = 0.12;

// One burst: pulses as {at, lasts, hz} in seconds from its beginning; `lasts` as a whole; `repeat`: silence
// before the next one; `loud` 0 to 1.
export function burst(kind, priority, sound = "") {
  const rules = CLASSES[priority] ?? CLASSES.low;
  const tones = MELODIES[sound] ?? MELODIES[OF_KIND[kind]] ?? MELODIES.call;
  const pulses = [];
  let at = 0;
  for (let number = 0; number < rules.count; number += 1) {
    pulses.push({ at, lasts: rules.pulse, hz: tones[number % 5 % tones.length] });
    at += rules.pulse + gapAfter(number, rules);
  }
  const last = pulses.at(-1);
  return { pulses, lasts: last.at + last.lasts, repeat: rules.repeat, loud: rules.loud };
}

function gapAfter(number, { count, pulse, space }) {
  if (count < 10) return space;
  if (number === 4) return 0.6; // between the two groups of five
  return number % 5 === 2 ? 2 * space + pulse : space;
}

export function shake(priority) {
  return { pattern: SHAKES[priority] ?? SHAKES.low, every: SHAKE_EVERY[priority] ?? SHAKE_EVERY.low };
}

// How loud it is so many seconds after it began to ring, 0 to 1. At night it only shakes at first, where the
// phone can, and then grows; high priority is never held back.
export function loudness(priority, night, sinceS, canShake) {
  const whole = (CLASSES[priority] ?? CLASSES.low).loud;
  if (!night || priority === "high") return whole;
  const ramped = sinceS - (canShake ? NIGHT_SHAKES_S : 0);
  if (ramped < 0) return 0;
  return whole * Math.min(1, NIGHT_LEAST + (1 - NIGHT_LEAST) * (ramped / NIGHT_RAMP_S));
}

// Of "no contact": two tones that no alarm has.
export const WARNING = {
  pulses: [
    { at: 0, lasts: 0.35, hz: 330 },
    { at: 0.45, lasts: 0.6, hz: 208 },
  ],
  lasts: 1.05,
  repeat: 8,
  loud: 1,
};
export const WARNING_SHAKE = [700, 200, 700];
