import type {
  Activity,
  ActivityStep,
  Json,
  JsonObject,
  MessageLevel,
  MessageSource,
  Progress,
  StoredError,
} from '../model/activity.js';
import type { Outcome } from '../model/outcome.js';
import type { ActivityStatus, FinalStatus } from '../model/statuses.js';
import { errorText } from '../model/stored-error.js';
import type { Redaction } from '../output/redaction.js';
import type { LogSource, OutputLine, OutputSink } from '../output/activity-output.js';
import type { KeyClaim } from '../storage/activity-keys.js';
import type {
  ActivityChanges,
  ActivityIdentity,
  ActivityStore,
  CancelFact,
  CasResult,
  NewActivity,
  Ownership,
} from '../storage/activity-store.js';
import { LENGTHS } from '../storage/activity-entities.js';
import { storableText } from '../storage/storable-text.js';
import type { LogLimits, LogLine } from './activity-log.js';
import { ActivityProgress, type StepOptions } from './activity-progress.js';
import type { ChildShare } from './child-shares.js';
import { CoalescedWrites } from './coalesced-writes.js';
import type { ProgressReport } from './progress-meter.js';
import type { PlannedStep } from './step-list.js';
import type { LogMemory } from './log-memory.js';
import { RecordLog } from './record-log.js';
import { INITIAL_LOG, RowChanges } from './row-changes.js';

const UNKNOWN: Progress = Object.freeze({ percent: null, current: null, total: null, unit: null, perSecond: null });
const DONE: Progress = Object.freeze({ ...UNKNOWN, percent: 100 });
const DONE_ALONE: ActivityChanges = Object.freeze({ progress: Object.freeze({ percent: 100 }) });
const NONE: ActivityChanges = Object.freeze({});
const WON: CasResult = Object.freeze({ won: true });
const NO_STEPS: { items: ActivityStep[]; omitted: number } = { items: [], omitted: 0 };

export interface RecordSettings extends LogLimits {
  progressInterval: number;
}

/** What all records of an application share. */
export interface RecordParts {
  store: ActivityStore;
  /** As whom a new activity is written. */
  owner: Readonly<Ownership>;
  settings: RecordSettings;
  redaction: Redaction;
  logMemory: LogMemory;
  failures: RecordFailures;
}

export interface RecordFailures {
  /** A write after the start was refused for good: told once for each activity. */
  onLost: (activityId: string, error: unknown) => void;
  /** Something was said after the end; it is dropped, and told once for each activity and thing. */
  onLate: (activityId: string, what: string) => void;
}

export type RecordState = Pick<Activity, 'status' | 'step' | 'progress'>;

/** Hears what an activity says, as it says it: for those who pass it on at once. */
export interface RecordListener {
  /** @param isPrivate  its text is for those who may read the log: what an unknown error says, say. */
  line(line: LogLine, isPrivate: boolean): void;
  /** Status, step, progress or anything else of the row has changed. */
  changed(state: RecordState): void;
}

/**
 * The owner's side of one row: holds its newest values in memory and writes them, progress and counts at most once an
 * interval. After the end every call is a quiet no-op, so late output can never rewrite a finished row.
 */
export class ActivityRecord implements OutputSink {
  readonly identity: ActivityIdentity;
  readonly #parts: RecordParts;
  /** What it is of its parent's progress, where that follows its children. */
  readonly #share: ChildShare | undefined;
  // Made when they are asked for: most work is short, and says nothing of itself.
  #madeProgress: ActivityProgress | undefined;
  #madeLog: RecordLog | undefined;
  #madeWrites: CoalescedWrites | undefined;
  #madeChanges: RowChanges | undefined;
  #listeners: Set<RecordListener> | undefined;
  #metadata: JsonObject;
  #criticalSection: string | null = null;
  #status: ActivityStatus = 'queued';
  #reason: Outcome['reason'] = null;
  #error: StoredError | null = null;
  #result: Json | undefined;
  #cancel: CancelFact | null = null;
  #startedAt: Date | null = null;
  #endedAt: Date | null = null;
  #updatedAt: Date;
  #ended = false;
  #lost = false;
  #toldLost = false;
  #toldLate: Set<string> | undefined;
  #version = 1;
  /** Of the steps, as they were last given to be written. */
  #stepRevision = 0;
  /** The newest write of changes, or of a cancel. */
  #written: Promise<void> | undefined;

  constructor(identity: ActivityIdentity, parts: RecordParts, share?: ChildShare) {
    this.identity = identity;
    this.#parts = parts;
    this.#share = share;
    this.#metadata = identity.metadata;
    this.#updatedAt = identity.createdAt;
  }

  /** Characters of one line. */
  get maxMessageLength(): number {
    return this.#parts.settings.maxMessageLength;
  }

  /** As whom it writes. */
  get owner(): Readonly<Ownership> {
    return this.#parts.owner;
  }

  get status(): ActivityStatus {
    return this.#status;
  }

  /** Who has asked it to stop; null: nobody that is known here. */
  get cancel(): CancelFact | null {
    return this.#cancel;
  }

  /** What changes while it runs, at this moment. */
  get state(): RecordState {
    return { status: this.#status, step: this.#step, progress: this.#progressAt(this.#now()) };
  }

  /** @returns a function that stops the listening. */
  observe(listener: RecordListener): () => void {
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
    return () => void this.#listeners?.delete(listener);
  }

  /** A copy: changing it changes nothing here. */
  get metadata(): Readonly<JsonObject> {
    return { ...this.#metadata };
  }

  get type(): string {
    return this.identity.type;
  }

  /** Writes the first row. Rejects when the store refuses it for good; waits as long as the store is away. */
  begin(status: 'queued' | 'running'): Promise<unknown> {
    return this.#parts.store.insert(this.#firstRow(status));
  }

  /** There is no row: nothing more is written. */
  refused(): void {
    this.#lost = true;
  }

  /**
   * Writes the first row together with the keys that it takes, all or nothing.
   * @param isWanted  false: it is not tried again.
   * @returns false when somebody else has one of the keys; then nothing is written.
   */
  beginWithKeys(
    status: 'queued' | 'running',
    keys: readonly KeyClaim[],
    { isWanted }: { isWanted: () => boolean },
  ): Promise<boolean> {
    return this.#parts.store.claim(this.#firstRow(status), keys, { isWanted });
  }

  /** `queued → running`. A lost race means that the waiting activity was cancelled meanwhile. */
  async grant(): Promise<CasResult> {
    const startedAt = this.#now();
    if (this.#lost) return this.#started(startedAt, { won: true });
    try {
      return this.#started(startedAt, await this.#parts.store.grant(this.identity.id, this.#parts.owner, startedAt));
    } catch (error) {
      this.#lose(error);
      return this.#started(startedAt, { won: true });
    }
  }

  /** Notes a cancel that stands on the row, or will with the settlement. @returns whether it was the first. */
  cancelling(cancel: CancelFact | null): boolean {
    if (this.#ended) return false;
    this.#cancel ??= cancel;
    const isFirst = this.#status === 'running';
    if (isFirst) this.#status = 'cancelling';
    this.#touch();
    return isFirst;
  }

  /** The same for what nobody has written yet: the row becomes `cancelling`, with who and why if there is one. */
  writeCancelling(cancel: CancelFact | null): boolean {
    const isFirst = this.cancelling(cancel);
    if (isFirst && !this.#lost) {
      this.#written = this.#parts.store
        .markCancelling(this.identity.id, this.#parts.owner, this.#cancel)
        .catch((error: unknown) => this.#lose(error));
    }
    return isFirst;
  }

  progress(report: ProgressReport): void {
    if (this.#late('progress')) return;
    if (this.#progress.report(report, this.#now())) this.#progressed();
  }

  step(name: string | null, options: StepOptions = {}): void {
    if (this.#late('step')) return;
    this.#madeLog?.takeGathered();
    if (this.#progress.begin(name === null ? null : this.#stepName(name), options, this.#now())) this.#progressed();
  }

  /** Ends the step that goes on, where it still is the one of this name. */
  endStep(name: string, status: FinalStatus): void {
    this.#madeLog?.takeGathered();
    if (!this.#ended && this.#progress.endStep(this.#stepName(name), status, this.#now())) this.#progressed();
  }

  /** Announces steps that are to come. */
  steps(plan: readonly PlannedStep[]): void {
    if (this.#late('steps')) return;
    const named = plan.map((step) => ({ ...step, name: this.#stepName(step.name) }));
    const tooMany = this.#progress.announce(named, this.#now());
    this.#progressed();
    if (tooMany === 0) return;
    const text = `${plan.length} steps were announced: the last ${tooMany} are not kept. Count them with progress({ current, total }) instead.`;
    this.message('warn', text, 'activity');
  }

  /** The part in its progress that a child has which begins now, where its progress is that of its children. */
  share(weight: number): ChildShare | undefined {
    return this.#progress.share(weight, () => {
      if (!this.#ended && this.#progress.refresh(this.#now())) this.#progressed();
    });
  }

  /** Name of the critical section that the work is in, null for none. */
  criticalSection(given: string | null): void {
    const name = this.#parts.redaction.textOrNull(given);
    if (this.#ended || this.#criticalSection === name) return;
    this.#criticalSection = name;
    this.#change();
  }

  /** Writes what has changed now, not at the end of the interval; resolves when it is durable. Never rejects. */
  flush(): Promise<void> {
    this.#madeWrites?.flush();
    return this.#written ?? Promise.resolve();
  }

  /** Merges at the top level. Never throws: what is no plain object, or has getters that throw, is left out, and a line says so. */
  mergeMetadata(patch: JsonObject): void {
    if (this.#late('metadata')) return;
    try {
      if (typeof patch !== 'object' || patch === null || ArrayBuffer.isView(patch)) {
        throw new TypeError('it is no plain object');
      }
      this.#metadata = { ...this.#metadata, ...this.#parts.redaction.object({ ...patch }) };
      this.#change();
    } catch (error) {
      const why = errorText(error);
      this.privateMessage('warn', `Metadata is left out: ${why}`);
    }
  }

  message(level: MessageLevel, text: string, source: MessageSource = 'log'): void {
    if (this.#late('log')) return;
    this.#log.message(level, text, source);
    this.#change();
  }

  privateMessage(level: MessageLevel, text: string): void {
    if (this.#late('log')) return;
    this.#log.privateMessage(level, text);
    this.#change();
  }

  output(line: OutputLine): void {
    if (this.#late('output')) return;
    this.#log.output(line);
    this.#change();
  }

  announce(text: string): void {
    if (!this.#ended && this.#log.announce(text)) this.#change();
  }

  whenRoom(): Promise<void> | undefined {
    return this.#madeLog?.whenRoom();
  }

  get isFlooded(): boolean {
    return this.#madeLog?.isFlooded ?? false;
  }

  gather(source: LogSource, stream: MessageSource): number | undefined {
    return this.#madeLog?.gather(source, stream);
  }

  gathered(source: LogSource, leftOut: { count: number; level: MessageLevel }): void {
    if (this.#madeLog?.gathered(source, leftOut)) this.#change();
  }

  /** Resolves when every line so far is durable, or given up by the store, which is told in the application's log. */
  async flushed(): Promise<void> {
    this.#madeLog?.handAll();
    await this.#parts.store.flush(this.identity.id);
  }

  addSource(source: LogSource): void {
    if (!this.#ended) this.#log.addSource(source);
  }

  deleteSource(source: LogSource): void {
    this.#madeLog?.deleteSource(source);
  }

  takeSources(): void {
    this.#madeLog?.takeSources();
  }

  stopSources(): void {
    this.#madeLog?.stopSources();
  }

  /**
   * Writes the last values and the outcome in one statement.
   * @returns whether this was first; resolves when it is durable, however long the store is away.
   */
  settle(outcome: Outcome, { error, result }: { error?: StoredError; result?: Json }): Promise<CasResult> {
    this.#madeLog?.handRest();
    const endedAt = this.#now();
    this.#criticalSection = null;
    if (error) this.#error = this.#parts.redaction.error(error);
    if (result !== undefined) this.#result = this.#parts.redaction.value(result);
    this.#end(outcome, endedAt);
    if (this.#lost) return Promise.resolve(WON);
    const { store, owner } = this.#parts;
    return store.settle({
      id: this.identity.id,
      ownerId: owner.ownerId,
      fence: owner.fence,
      status: outcome.status,
      reason: outcome.reason,
      endedAt,
      error: this.#error,
      result: this.#result,
      changes: this.#lastChanges(),
      cancel: this.#cancel ?? undefined,
    });
  }

  /** The row was ended by someone else: notes how, and writes nothing more. */
  close(outcome: Outcome, cancel: CancelFact | null): void {
    this.#cancel = cancel;
    this.#end(outcome, this.#now());
  }

  /** The activity as it is now, in this process's eyes. */
  snapshot(): Activity {
    const { identity } = this;
    const { latestMessage, ...counts } = this.#logCounts;
    const now = this.#now();
    const { items: steps, omitted: omittedStepCount } = this.#madeProgress?.steps(now) ?? NO_STEPS;
    return {
      ...identity,
      status: this.#status,
      reason: this.#reason,
      attempts: 1,
      progress: this.#progressAt(now),
      expectedEndAt: this.#expectedEndAt(now),
      step: this.#step,
      steps,
      omittedStepCount,
      criticalSection: this.#criticalSection,
      latestMessage,
      ...counts,
      metadata: { ...this.#metadata },
      ...(this.#result === undefined ? {} : { result: this.#result }),
      error: this.#error,
      cancel: this.#cancel,
      startedAt: this.#startedAt,
      endedAt: this.#endedAt,
      updatedAt: this.#updatedAt,
      durationMs: this.#startedAt && this.#endedAt ? this.#endedAt.getTime() - this.#startedAt.getTime() : null,
      ownerId: this.#parts.owner.ownerId,
      version: this.#version,
    };
  }

  /** Whether a result would not be kept as it is, since it has secrets. */
  isMasked(result: Json): boolean {
    return JSON.stringify(this.#parts.redaction.value(result)) !== JSON.stringify(result);
  }

  /** Each value by its name: copied as a whole it was seen to cost twenty times as much. */
  #firstRow(status: 'queued' | 'running'): NewActivity {
    const { identity } = this;
    this.#status = status;
    this.#startedAt = status === 'running' ? identity.createdAt : null;
    return {
      id: identity.id,
      scope: identity.scope,
      type: identity.type,
      title: identity.title,
      resource: identity.resource,
      actor: identity.actor,
      batchId: identity.batchId,
      parentId: identity.parentId,
      cancellable: identity.cancellable,
      origin: identity.origin,
      limitKey: identity.limitKey,
      job: identity.job,
      metadata: identity.metadata,
      createdAt: identity.createdAt,
      ownerId: this.#parts.owner.ownerId,
      fence: this.#parts.owner.fence,
      status,
      startedAt: this.#startedAt,
    };
  }

  #started(startedAt: Date, result: CasResult): CasResult {
    if (result.won) {
      this.#status = 'running';
      this.#startedAt = startedAt;
      this.#touch();
    }
    return result;
  }

  #end({ status, reason }: Outcome, at: Date): void {
    this.#ended = true;
    this.#madeWrites?.stop();
    this.#madeLog?.close();
    this.#endedAt = at;
    this.#madeProgress?.finish(status, at);
    this.#status = status;
    this.#reason = reason;
    this.#touch(at);
    this.#share?.end();
  }

  /** As it is kept: so that a long name is the same step when it begins as when it was announced. */
  #stepName(name: string | number): string {
    return storableText(this.#parts.redaction.text(String(name)), LENGTHS.step);
  }

  #progressed(): void {
    this.#share?.report(this.#progress.percent);
    this.#change();
  }

  #change(): void {
    this.#touch();
    this.#writes.changed();
  }

  #writeChanges(): void {
    if (this.#lost) return;
    this.#written = this.#parts.store
      .update(this.identity.id, this.#parts.owner, this.#changes())
      .catch((error: unknown) => {
        this.#madeChanges?.forget();
        this.#lose(error);
      });
  }

  #changes(): ActivityChanges {
    const now = this.#now();
    this.#madeChanges ??= new RowChanges(this.identity.metadata);
    const changes = this.#madeChanges.take({
      progress: this.#progressAt(now),
      expectedEndAt: this.#expectedEndAt(now),
      step: this.#step,
      criticalSection: this.#criticalSection,
      metadata: this.#metadata,
      ...this.#logCounts,
    });
    const stepRevision = this.#madeProgress?.stepRevision ?? 0;
    if (stepRevision === this.#stepRevision) return changes;
    this.#stepRevision = stepRevision;
    return { ...changes, steps: this.#progress.steps(now) };
  }

  /** Those with which it ends. */
  #lastChanges(): ActivityChanges {
    if (this.#madeWrites || this.#madeProgress || this.#madeLog) return this.#changes();
    return this.#status === 'succeeded' ? DONE_ALONE : NONE;
  }

  get #progress(): ActivityProgress {
    return (this.#madeProgress ??= new ActivityProgress());
  }

  /** Of one that has said nothing of it a success is 100 %. */
  #progressAt(now: Date): Progress {
    return this.#madeProgress?.value(now) ?? (this.#status === 'succeeded' ? DONE : UNKNOWN);
  }

  #expectedEndAt(now: Date): Date | null {
    return this.#madeProgress?.expectedEndAt(now) ?? null;
  }

  get #step(): string | null {
    return this.#madeProgress?.step ?? null;
  }

  get #writes(): CoalescedWrites {
    this.#madeWrites ??= new CoalescedWrites({
      intervalMs: this.#parts.settings.progressInterval,
      write: () => this.#writeChanges(),
      expectedEndAt: () => this.#expectedEndAt(this.#now()),
    });
    return this.#madeWrites;
  }

  get #log(): RecordLog {
    const { store, owner, settings, redaction, logMemory } = this.#parts;
    this.#madeLog ??= new RecordLog({
      activityId: this.identity.id,
      owner,
      store,
      limits: settings,
      redaction,
      memory: logMemory,
      step: () => this.#step,
      now: () => this.#now(),
      hasEnded: () => this.#ended,
      isLost: () => this.#lost,
      heard: (line, isPrivate) => {
        for (const listener of this.#listeners ?? []) listener.line(line, isPrivate);
      },
      onLost: (error) => this.#lose(error),
    });
    return this.#madeLog;
  }

  get #logCounts() {
    return this.#madeLog?.counts ?? INITIAL_LOG;
  }

  #touch(at = this.#now()): void {
    this.#updatedAt = at;
    this.#version++;
    if (!this.#listeners) return;
    for (const listener of this.#listeners) listener.changed(this.state);
  }

  /** Never before what was noted last: a clock that steps back must not make a negative duration. */
  #now(): Date {
    const now = Date.now();
    // Lines come by the million: those of one millisecond share their time.
    return now > this.#updatedAt.getTime() ? new Date(now) : this.#updatedAt;
  }

  #late(what: string): boolean {
    if (this.#ended && !this.#toldLate?.has(what)) {
      this.#toldLate ??= new Set();
      this.#toldLate.add(what);
      this.#parts.failures.onLate(this.identity.id, what);
    }
    return this.#ended;
  }

  #lose(error: unknown): void {
    if (!this.#toldLost) this.#parts.failures.onLost(this.identity.id, error);
    this.#toldLost = true;
  }
}
