/** New rows after which a table is looked at for the first time; then after ten times as many, and so on. */
const FIRST_LOOK = 50;
const LAST_LOOK = 500_000;

/**
 * Has a young table analyzed whenever it is ten times as large as it was. PostgreSQL takes a table of which it knows
 * nothing for one with a single row, and keeps a plan once made: until it analyzed the table by itself, after a minute or
 * more, each batch was seen to read all of it, and a third as many calls a second were left after 80,000 of them.
 */
export class TableGrowth {
  #rows = 0;
  #nextLook = FIRST_LOOK;

  /** @param analyze  may fail: then it stays as it was. */
  constructor(private readonly analyze: () => Promise<void>) {}

  grown(rows: number): void {
    this.#rows += rows;
    if (this.#rows < this.#nextLook || this.#nextLook > LAST_LOOK) return;
    while (this.#nextLook <= this.#rows) this.#nextLook *= 10;
    void this.analyze().catch(() => undefined);
  }
}
