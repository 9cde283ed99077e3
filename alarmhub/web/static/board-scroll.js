// A list that is longer than its wall: it says how many rows cannot be seen, and turns its pages slowly by itself.
// Somebody who touches it has it for a while.

const PAGE_MS = 8000;
const TOP_MS = 14000; // the most urgent stand on the first page
const THEIRS_MS = 30000;

export class Scroll {
  constructor(box, said, words) {
    [this.box, this.said, this.words] = [box, said, words];
    this.turnAt = 0;
    this.hidden = 0;
    for (const name of ["wheel", "touchstart", "pointerdown", "keydown"]) {
      box.addEventListener(name, () => { this.turnAt = performance.now() + THEIRS_MS; }, { passive: true });
    }
    box.addEventListener("scroll", () => this.count(), { passive: true });
  }

  /** Back to the most urgent. */
  top() {
    this.box.scrollTo({ top: 0 });
    this.turnAt = performance.now() + TOP_MS;
    this.count();
  }

  /** How many rows are not wholly in sight; `more`: how many were not even sent. */
  count(more = this.more || 0) {
    this.more = more;
    const seen = this.box.getBoundingClientRect();
    const hidden = [...this.box.querySelectorAll("li")].filter((row) => {
      const at = row.getBoundingClientRect();
      return at.bottom > seen.bottom + 2 || at.top < seen.top - 2;
    }).length + more;
    if (hidden === this.hidden) return;
    this.hidden = hidden;
    this.said.hidden = !hidden;
    this.said.textContent = hidden ? this.words().more(hidden) : "";
    this.said.title = hidden ? this.words().more_label(hidden) : "";
  }

  /** Turn the page when it is time. */
  tick(now) {
    const { box } = this;
    const room = box.scrollHeight - box.clientHeight;
    if (room <= 2) {
      if (box.scrollTop) box.scrollTo({ top: 0 });
      this.turnAt = now + TOP_MS;
      return;
    }
    if (now < this.turnAt) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const end = box.scrollTop >= room - 2;
    // Whole rows: the next page begins with the row that was cut off.
    const seen = box.getBoundingClientRect();
    const next = [...box.querySelectorAll("li")].find((row) => row.getBoundingClientRect().bottom > seen.bottom + 2);
    const by = next ? next.getBoundingClientRect().top - seen.top : box.clientHeight;
    box.scrollTo({ top: end ? 0 : box.scrollTop + Math.max(by, 40), behavior: still ? "instant" : "smooth" });
    this.turnAt = now + (end ? TOP_MS : PAGE_MS);
  }
}
