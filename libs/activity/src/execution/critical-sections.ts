import { AsyncLocalStorage } from 'node:async_hooks';
import type { ActivityCancelledError } from '../model/cancellation.js';
import { ActivityOptionError } from '../model/errors.js';

export type SectionArguments<T> = [work: () => T | PromiseLike<T>] | [name: string, work: () => T | PromiseLike<T>];

/** A section's name may be left out. @throws {ActivityOptionError} */
export function sectionOf<T>(args: SectionArguments<T>): { name: string; work: () => T | PromiseLike<T> } {
  const [name, work] = args.length === 1 ? ['critical step', args[0]] : args;
  if (typeof name === 'string' && typeof work === 'function') return { name, work };
  throw new ActivityOptionError('uncancellable', ['it takes a function, or a name and a function']);
}

interface Shelter {
  of: CriticalSections;
  isCleanUp: boolean;
  /** False once it is over: what it has left running behind is outside. */
  open: boolean;
  /** What it is within: of another activity, perhaps. */
  around: Shelter | undefined;
}

/** Around a section and around a clean-up: tells what is nested in one from what is beside it. */
const shelter = new AsyncLocalStorage<Shelter>();

/** Those that are over are passed by, or what starts itself again from within would keep them all. */
function openAround(): Shelter | undefined {
  let around = shelter.getStore();
  while (around && !around.open) around = around.around;
  return around;
}

export interface CriticalSectionsListener {
  /** What aborts the work, or will once the open sections have ended; undefined if nothing does. */
  cancellation(): ActivityCancelledError | undefined;
  /** Name of the outermost open section; null when the last one has ended. */
  changed(name: string | null): void;
}

/**
 * The stretches of one activity's work that must not be stopped half-way. Nested and parallel ones count: an abort waits
 * for the last to end. The beginning of one is a place to stop at, so that work made of nothing else does stop.
 * @see Trio's shielded scopes; `CancellationScope.nonCancellable` of Temporal
 */
export class CriticalSections {
  readonly #open = new Set<Shelter & { name: string }>();

  constructor(private readonly listener: CriticalSectionsListener) {}

  /** Name of the outermost open section. */
  get current(): string | null {
    for (const { name } of this.#open) return name;
    return null;
  }

  /** Whether the running code is within a clean-up. */
  get isCleaningUp(): boolean {
    return this.#around?.isCleanUp ?? false;
  }

  /**
   * Runs `work` to its end and gives its value or error.
   * @throws the cancellation, without running `work`, when the activity has been asked to stop, unless this is within a
   *   section that was open before or within a clean-up.
   */
  async run<T>(name: string, work: () => T | PromiseLike<T>): Promise<T> {
    if (!this.#around) {
      const cancellation = this.listener.cancellation();
      if (cancellation) throw cancellation;
    }
    const section = { of: this, isCleanUp: false, open: true, around: openAround(), name };
    this.#open.add(section);
    this.listener.changed(this.current);
    try {
      return await shelter.run(section, work);
    } finally {
      section.open = false;
      this.#open.delete(section);
      this.listener.changed(this.current);
    }
  }

  /** Runs a clean-up, which may have sections of its own though the activity is being stopped. */
  async runCleanUp(work: () => unknown): Promise<void> {
    const cleanUp: Shelter = { of: this, isCleanUp: true, open: true, around: openAround() };
    try {
      await shelter.run(cleanUp, work);
    } finally {
      cleanUp.open = false;
    }
  }

  get #around(): Shelter | undefined {
    let around = openAround();
    while (around && !(around.of === this && around.open)) around = around.around;
    return around;
  }
}
