import { setMaxListeners } from 'node:events';
import { cancellationOf, type ActivityCancelledError } from '../model/cancellation.js';
import { CancelHooks } from './cancel-hooks.js';
import { CriticalSections } from './critical-sections.js';

export interface WorkAbortListener {
  /** The signal is about to abort. */
  aborting(cancellation: ActivityCancelledError): void;
  /** An abort waits for a section to end. */
  held(cancellation: ActivityCancelledError, section: string): void;
  /** Name of the outermost open section, null for none. */
  section(name: string | null): void;
  /** The work has ended: it is asked for nothing any more. */
  hasEnded(): boolean;
  /** Calls `work` with the activity around it. */
  within<T>(work: () => T): T;
  warn(text: string): void;
}

/**
 * Stops the work of one activity: once, with one reason, not before an open critical section has ended, and with its
 * clean-ups called after it.
 */
export class WorkAbort {
  readonly hooks: CancelHooks;
  readonly sections: CriticalSections;
  readonly #controller = new AbortController();
  #held: ActivityCancelledError | undefined;

  constructor(private readonly listener: WorkAbortListener) {
    // As many may listen as the work has parts: more than ten are no leak here.
    setMaxListeners(0, this.signal);
    this.sections = new CriticalSections({
      cancellation: () => (listener.hasEnded() ? undefined : this.cancellation),
      changed: (name) => this.#sectionChanged(name),
    });
    this.hooks = new CancelHooks({
      within: (work) => this.sections.runCleanUp(() => listener.within(work)),
      warn: (text) => listener.warn(text),
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What has aborted the signal, or will when the open sections have ended. */
  get cancellation(): ActivityCancelledError | undefined {
    return cancellationOf(this.signal) ?? this.#held;
  }

  /** The first reason stands; but one that waits for no section goes before one that does. @returns whether it was taken. */
  request(cancellation: ActivityCancelledError): boolean {
    if (this.signal.aborted) return false;
    const section = waitsForSections(cancellation) ? this.sections.current : null;
    if (section === null) {
      this.now(cancellation);
      return true;
    }
    if (this.#held) return false;
    this.#held = cancellation;
    this.listener.held(cancellation, section);
    return true;
  }

  /** Aborts, also in the middle of a section. Without a reason of its own: with the one that waits. */
  now(cancellation = this.#held): void {
    if (this.signal.aborted || !cancellation) return;
    this.listener.aborting(cancellation);
    this.#controller.abort(cancellation);
    this.hooks.run(cancellation);
  }

  #sectionChanged(name: string | null): void {
    if (this.listener.hasEnded()) return;
    this.listener.section(name);
    if (name === null) this.now();
  }
}

/** A lost activity is another process's, and force is meant as it says. All others, a shutdown too, let the section end. */
function waitsForSections({ abortReason }: ActivityCancelledError): boolean {
  return abortReason !== 'owner_lost' && abortReason !== 'forced';
}
