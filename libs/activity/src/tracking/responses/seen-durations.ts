import type { ActivityEvents } from '../../execution/activity-events.js';

/** Types that are remembered; the one that was heard of longest ago is forgotten first. */
const MAX_TYPES = 1_000;
/** How much the newest run counts. */
const WEIGHT = 0.3;

/** How long activities of a type usually take, from those that have succeeded in this process. */
export class SeenDurations {
  readonly #byType = new Map<string, number>();

  constructor(private readonly events: Pick<ActivityEvents, 'on'>) {}

  /** Begins to note. Not before somebody wants to know: a listener costs each activity a picture of itself. */
  listen(): void {
    this.events.on(({ name, activity: { type, status, durationMs } }) => {
      if (name === 'settled' && status === 'succeeded' && durationMs !== null) this.note(type, durationMs);
    });
  }

  note(type: string, durationMs: number): void {
    const before = this.#byType.get(type);
    this.#byType.delete(type);
    this.#byType.set(type, before === undefined ? durationMs : before + WEIGHT * (durationMs - before));
    if (this.#byType.size > MAX_TYPES) this.#byType.delete(this.#byType.keys().next().value!);
  }

  /** Milliseconds; undefined for a type that has not ended here yet. */
  of(type: string): number | undefined {
    return this.#byType.get(type);
  }
}
