import type { Activity } from '../model/activity.js';
import type { ActivityEvent, ActivityEventName } from '../model/events.js';
import { errorText } from '../model/stored-error.js';

export type ActivityListener = (event: ActivityEvent) => void | Promise<void>;

/**
 * Tells code of the application what happens to its activities, as it happens. A listener that throws or rejects is
 * logged and harms neither the activity nor the other listeners: which is why this is no bare Observable.
 */
export class ActivityEvents {
  readonly #listeners = new Set<ActivityListener>();

  constructor(private readonly logger: { error(text: string): void }) {}

  /** @returns a function that stops the listening. */
  on(listener: ActivityListener): () => void {
    // A function given twice is two listeners, each taken away by its own.
    const own: ActivityListener = (event) => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** @param record  of the activity: looked at only where somebody listens. */
  emit(name: ActivityEventName, record: { snapshot(): Activity }): void {
    if (this.#listeners.size === 0) return;
    const event = { name, activity: record.snapshot() };
    for (const listener of this.#listeners) void this.#tell(listener, event);
  }

  close(): void {
    this.#listeners.clear();
  }

  /** Runs the listener at once, up to its first `await`: it may cancel what has just started. */
  async #tell(listener: ActivityListener, event: ActivityEvent): Promise<void> {
    try {
      await listener(event);
    } catch (error) {
      this.logger.error(`A listener of activity events failed at "${event.name}": ${errorText(error)}`);
    }
  }
}
