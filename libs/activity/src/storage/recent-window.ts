import type { RecentFigures } from '../model/stats.js';

const WINDOW = 256;

/** The newest values of a figure: taking one costs nothing that a batch would notice, and they are sorted when asked for. */
export class RecentWindow {
  readonly #values = new Float64Array(WINDOW);
  #count = 0;

  add(value: number): void {
    this.#values[this.#count++ % WINDOW] = value;
  }

  figures(): RecentFigures {
    const length = Math.min(this.#count, WINDOW);
    if (length === 0) return { last: 0, mean: 0, p95: 0 };
    const values = this.#values.slice(0, length);
    const last = values[(this.#count - 1) % WINDOW]!;
    const mean = values.reduce((sum, value) => sum + value, 0) / length;
    return { last, mean, p95: values.toSorted()[Math.ceil(length * 0.95) - 1]! };
  }
}
