// Trees of elements, and changing a page into one without rebuilding it: focus, scroll position and what a
// screen reader has read stay where they are. What is pressed is named by data-do on the element.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  if (attributes?.["data-checked"] === "true") element.checked = true;
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

// A drawing of one path, hidden from screen readers: a word beside it says the same.
export function drawing(path, className, box = "0 0 24 24") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", box);
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

// SVG the hub made (a QR code), as a picture: nothing in it can run.
export function picture(svgText, alt) {
  return h("img", { src: `data:image/svg+xml;utf8,${encodeURIComponent(svgText)}`, alt, class: "qr" });
}

// Makes the children of `parent` equal to `wanted`.
export function morph(parent, wanted) {
  let now = parent.firstChild;
  for (const next of [...wanted]) {
    const kept = now !== null && alike(now, next) ? now : found(now, next);
    if (kept === null) {
      parent.insertBefore(next, now);
      continue;
    }
    if (kept !== now) parent.insertBefore(kept, now);
    else now = now.nextSibling;
    update(kept, next);
  }
  while (now !== null) {
    const gone = now;
    now = now.nextSibling;
    gone.remove();
  }
}

function key(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);
}

function found(from, wanted) {
  if (key(wanted) === null) return null;
  for (let node = from; node !== null; node = node.nextSibling) if (alike(node, wanted)) return node;
  return null;
}

function update(kept, next) {
  if (kept.nodeType === Node.TEXT_NODE) {
    if (kept.data !== next.data) kept.data = next.data;
    return;
  }
  for (const { name } of [...kept.attributes]) if (!next.hasAttribute(name)) kept.removeAttribute(name);
  for (const { name, value } of [...next.attributes]) {
    if (kept.getAttribute(name) !== value) kept.setAttribute(name, value);
  }
  // What somebody is typing or has ticked is theirs.
  if (kept.nodeName === "INPUT" || kept.nodeName === "SELECT") {
    if (kept.nodeName === "SELECT" && kept.children.length !== next.children.length) morph(kept, next.childNodes);
    if (next.hasAttribute("data-checked")) kept.checked = next.getAttribute("data-checked") === "true";
    return;
  }
  morph(kept, next.childNodes);
}
