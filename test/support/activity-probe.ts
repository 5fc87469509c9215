// Not the global: a test may fake its timers.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { filter, firstValueFrom, ReplaySubject, skip, timeout } from 'rxjs';
import type { Activity, ActivityEvent, ActivityEventName, ActivityService } from 'nestjs-activity';

const PATIENCE_MS = 10_000;

/** Waits for what happens to activities, by their events: also for what has happened before the test asks. */
export class ActivityProbe {
  readonly #seen = new ReplaySubject<ActivityEvent>();

  constructor(private readonly activities: ActivityService) {
    activities.on((event) => this.#seen.next(event));
  }

  /** The first `started` of this type, or of any, once its body has been called: what aborts it before keeps it from that. */
  async started(type?: string): Promise<Activity> {
    const activity = await this.#first('started', (one) => type === undefined || one.type === type);
    await nextTurn();
    return activity;
  }

  queued(type?: string): Promise<Activity> {
    return this.#first('queued', (activity) => type === undefined || activity.type === type);
  }

  /** The first that was asked to stop while it ran. */
  cancelling(idOrType: string): Promise<Activity> {
    return this.#first('cancelling', (activity) => activity.id === idOrType || activity.type === idOrType);
  }

  /** The row of an activity once it has settled. */
  async settled(idOrType: string): Promise<Activity> {
    const { id } = await this.#first('settled', (activity) => activity.id === idOrType || activity.type === idOrType);
    return this.row(id);
  }

  /** All rows, oldest first, whole. */
  async rows(): Promise<Activity[]> {
    const { items } = await this.activities.list({ limit: 200 });
    return Promise.all(items.toReversed().map(({ id }) => this.row(id)));
  }

  /** The only row there is. */
  async only(): Promise<Activity> {
    const rows = await this.rows();
    if (rows.length !== 1)
      throw new Error(`there are ${rows.length} activities: ${rows.map((row) => row.type).join(', ')}`);
    return rows[0]!;
  }

  async row(id: string): Promise<Activity> {
    const row = await this.activities.get(id);
    if (!row) throw new Error(`no row ${id}`);
    return row;
  }

  async lines(id: string): Promise<string[]> {
    return (await this.activities.messages(id, { limit: 1000 })).map((message) => message.text);
  }

  /** Resolves when an event was told this often; of starts, when the bodies have been called. */
  async times(name: ActivityEventName, times: number): Promise<void> {
    await firstValueFrom(
      this.#seen.pipe(
        filter((seen) => seen.name === name),
        skip(times - 1),
        timeout({ first: PATIENCE_MS }),
      ),
    );
    if (name === 'started') await nextTurn();
  }

  /** How often an event was told so far. */
  count(name: ActivityEventName, id?: string): number {
    let count = 0;
    this.#seen
      .subscribe((event) => {
        if (event.name === name && (id === undefined || event.activity.id === id)) count++;
      })
      .unsubscribe();
    return count;
  }

  async #first(name: ActivityEventName, matches: (activity: Activity) => boolean): Promise<Activity> {
    const event = await firstValueFrom(
      this.#seen.pipe(
        filter((seen) => seen.name === name && matches(seen.activity)),
        timeout({ first: PATIENCE_MS }),
      ),
    );
    return event.activity;
  }
}
