import { NEVER, firstValueFrom, fromEvent, merge, takeUntil, timer, type Observable } from 'rxjs';
import type { ActivityBus } from './activity-bus.js';

/**
 * Resolves with the next notice about an activity, after `withinMs` without one, or when `signal` aborts: then the row is
 * worth a look. The bus is a hint, the row is the truth.
 * @param options.enough  ends the listening early.
 */
export async function nextHint(
  id: string,
  bus: Pick<ActivityBus, 'hints'>,
  { withinMs, signal, enough = NEVER }: { withinMs: number; signal?: AbortSignal; enough?: Observable<void> },
): Promise<void> {
  const aborted = signal ? fromEvent(signal, 'abort') : NEVER;
  const woken = merge(bus.hints(id.toLowerCase()), timer(withinMs), aborted);
  await firstValueFrom(woken.pipe(takeUntil(enough)), { defaultValue: undefined });
}
