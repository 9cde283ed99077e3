// A shape for each kind and each priority, so that nobody has to tell them by colour.

import { drawing } from "./phone-dom.js";

const KINDS = {
  patient_call: "M12 2a6 6 0 0 0-6 6v5l-2 4h16l-2-4V8a6 6 0 0 0-6-6zm-2.5 16a2.5 2.5 0 0 0 5 0z",
  toilet_call: "M5 3h6v9H5zM5 13h14c0 4-2 6-5 7v2H8v-3c-2-1-3-3-3-6z",
  assistance: "M9 3h6v6h6v6h-6v6H9v-6H3V9h6z",
  emergency: "M12 1l11 21H1zM10.7 9v6h2.6V9zm0 8v2.6h2.6V17z",
  team: "M12 21L3.5 12.5A5.6 5.6 0 0 1 12 5.3a5.6 5.6 0 0 1 8.5 7.2z",
  assault: "M12 1l9 3v8c0 6-4 9-9 11-5-2-9-5-9-11V4zM10.7 6v8h2.6V6zm0 10v2.6h2.6V16z",
  clinical: "M1 11h5l3-7 5 15 3-8h6v3h-4l-5 12-5-15-1.500 3H1z",
  technical: "M12 1l3 4 5-1-1 5 4 3-4 3 1 5-5-1-3 4-3-4-5 1 1-5-4-3 4-3-1-5 5 1zM12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  door: "M5 2h14v20H5zM15 11v3h2v-3z",
  request: "M2 3h20v14H11l-6 5v-5H2z",
  drill: "M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22zm0 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zm0 4a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
};

const PRIORITIES = {
  high: "M8 1h8l7 7v8l-7 7H8l-7-7V8z", // an octagon
  medium: "M12 2l11 20H1z", // a triangle
  low: "M2 12a10 10 0 1 0 20 0a10 10 0 1 0-20 0", // a disc
  information: "M4 4h16v16H4z", // a square
};

const EXCLAMATIONS = { high: "!!!", medium: "!!", low: "!", information: "i" };

export function kindIcon(kind, className = "icon") {
  return drawing(KINDS[kind] ?? KINDS.patient_call, className);
}

export function priorityIcon(priority, className = "mark") {
  return drawing(PRIORITIES[priority] ?? PRIORITIES.low, className);
}

export function exclamations(priority) {
  return EXCLAMATIONS[priority] ?? "!";
}
