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
import { GatheredLines } from '../output/gathered-lines.js';
import { LineRedaction } from '../output/line-redaction.js';
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
import { ActivityLog, type LogLimits, type LogLine } from './activity-log.js';
import { ActivityProgress, type StepOptions } from './activity-progress.js';
import type { ChildShare } from './child-shares.js';
import { CoalescedWrites } from './coalesced-writes.js';
import type { ProgressReport } from './progress-meter.js';
import type { PlannedStep } from './step-list.js';
import type { LogMemory } from './log-memory.js';
import { LogOutbox } from './log-outbox.js';
import { RowChanges } from './row-changes.js';

const UNKNOWN: Progress = Object.freeze({ percent: null, current: null, total: null, unit: null, perSecond: null });
const DONE: Progress = Object.freeze({ ...UNKNOWN, percent: 100 });
/** Of a cap that keeps more of the newest lines than this, all are written: the database is what they wait for. */
const MOST_GATHERED = 10_000;
const NO_STEPS: { items: ActivityStep[]; omitted: number } = { items: [], omitted: 0 };

export interface RecordSettings extends LogLimits {
  progressInterval: number;
}

export interface RecordParts {
  settings: RecordSettings;
  failures: RecordFailures;
  redaction: Redaction;
  /** Shared by all activities of the application. */
  logMemory: LogMemory;
  /** What it is of its parent's progress. */
  share?: ChildShare;
}

export interface RecordFailures {
  /** A write after the start was refused for good: told once for each activity. */
  onLost: (error: unknown) => void;
  /** Something was said after the end; it is dropped. */
  onLate: (what: string) => void;
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
  readonly #store: ActivityStore;
  readonly #owner: Ownership;
  readonly #failures: RecordFailures;
  readonly #parts: RecordParts;
  readonly #log: ActivityLog;
  readonly #redaction: Redaction;
  readonly #changed: RowChanges;
  /** What it is of its parent's progress, where that follows its children. */
  readonly #share: ChildShare | undefined;
  // Made when they are asked for: most work is short, and says nothing of itself.
  #madeProgress: ActivityProgress | undefined;
  #madeLines: LineRedaction | undefined;
  #madeOutbox: LogOutbox | undefined;
  #madeWrites: CoalescedWrites | undefined;
  /** Writers that may still have something to say. */
  readonly #sources = new Set<LogSource>();
  /** The one of them that gathers its lines. */
  #gatherer: LogSource | undefined;
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
  #version = 1;
  /** Of the steps, as they were last given to be written. */
  #stepRevision = 0;
  /** The newest write of changes, or of a cancel. */
  #written: Promise<void> = Promise.resolve();
  /** Made for the first one: most activities have none. */
  #listeners: Set<RecordListener> | undefined;

  constructor(identity: ActivityIdentity, store: ActivityStore, parts: RecordParts) {
    const { settings, failures, redaction, share } = parts;
    this.identity = identity;
    this.#parts = parts;
    this.#store = store;
    this.#owner = { ownerId: store.ownerId, fence: 1 };
    this.#failures = failures;
    this.#share = share;
    this.#log = new ActivityLog(settings);
    this.#redaction = redaction;
    this.#metadata = identity.metadata;
    this.#changed = new RowChanges(identity.metadata);
    this.#updatedAt = identity.createdAt;
  }

  /** Characters of one line. */
  get maxMessageLength(): number {
    return this.#log.maxMessageLength;
  }

  /** As whom it writes. */
  get owner(): Readonly<Ownership> {
    return this.#owner;
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

  /** Writes the first row. Rejects when the store refuses it for good; waits as long as the store is away. */
  begin(status: 'queued' | 'running'): Promise<void> {
    return this.#store.insert(this.#firstRow(status)).catch((error: unknown) => {
      this.#lost = true;
      throw error;
    });
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
    return this.#store.claim(this.#firstRow(status), keys, { isWanted });
  }

  /** `queued → running`. A lost race means that the waiting activity was cancelled meanwhile. */
  async grant(): Promise<CasResult> {
    const startedAt = this.#now();
    if (this.#lost) return this.#started(startedAt, { won: true });
    try {
      return this.#started(startedAt, await this.#store.grant(this.identity.id, this.#owner, startedAt));
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
      this.#written = this.#store
        .markCancelling(this.identity.id, this.#owner, this.#cancel)
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
    this.#takeGathered();
    if (this.#progress.begin(name === null ? null : this.#stepName(name), options, this.#now())) this.#progressed();
  }

  /** Ends the step that goes on, where it still is the one of this name. */
  endStep(name: string, status: FinalStatus): void {
    this.#takeGathered();
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
    const name = this.#redaction.textOrNull(given);
    if (this.#ended || this.#criticalSection === name) return;
    this.#criticalSection = name;
    this.#change();
  }

  /** Writes what has changed now, not at the end of the interval; resolves when it is durable. Never rejects. */
  flush(): Promise<void> {
    this.#madeWrites?.flush();
    return this.#written;
  }

  /** Merges at the top level. Never throws: what is no plain object, or has getters that throw, is left out, and a line says so. */
  mergeMetadata(patch: JsonObject): void {
    if (this.#late('metadata')) return;
    try {
      if (typeof patch !== 'object' || patch === null || ArrayBuffer.isView(patch)) {
        throw new TypeError('it is no plain object');
      }
      this.#metadata = { ...this.#metadata, ...this.#redaction.object({ ...patch }) };
      this.#change();
    } catch (error) {
      const why = errorText(error);
      this.privateMessage('warn', `Metadata is left out: ${why}`);
    }
  }

  /** A line of `log.*` cannot wait: one that comes while too many do is left out, and a line says how many were. */
  message(level: MessageLevel, text: string, source: MessageSource = 'log'): void {
    if (this.#late('log')) return;
    this.#takeWaiting();
    if (source === 'log' && this.#outbox.isFull) {
      this.#log.leaveOut(level);
      this.#parts.logMemory.leaveOut();
    } else this.#write({ level, text, source });
    this.#change();
  }

  /** A line of the tracker's whose text is not for whoever called: it stands in the log, and is not streamed to callers. */
  privateMessage(level: MessageLevel, text: string): void {
    if (this.#late('log')) return;
    this.#takeWaiting();
    this.#write({ level, text, source: 'activity' }, true);
    this.#change();
  }

  /** A line of a writer, which waits for room by itself: none is ever left out but by the cap. */
  output(line: OutputLine): void {
    if (this.#late('output')) return;
    this.#takeGathered();
    this.#write(line);
    this.#change();
  }

  /** The state of a line that is being rewritten: the latest message, but no line of the log. */
  announce(text: string): void {
    if (!this.#ended && this.#log.announce(this.#redaction.text(text))) this.#change();
  }

  /** Undefined while there is room for more lines; else resolves when there is. Never rejects. */
  whenRoom(): Promise<void> | undefined {
    return this.#madeOutbox?.whenRoom();
  }

  get isFlooded(): boolean {
    return this.#madeOutbox?.isFlooded ?? false;
  }

  /** One source at a time: so that the lines of several stay in order, the next one has those before it taken. */
  gather(source: LogSource, stream: MessageSource): number | undefined {
    const { logMemory } = this.#parts;
    this.#takeGathered();
    if (this.#ended || !this.isFlooded || logMemory.isFull) return undefined;
    if (this.#log.tail > MOST_GATHERED || this.#lines.isWithinKey(stream)) return undefined;
    this.#gatherer = source;
    logMemory.take(GatheredLines.characters, 0);
    return this.#log.tail;
  }

  gathered(source: LogSource, leftOut: { count: number; level: MessageLevel }): void {
    if (this.#gatherer === source) this.#forgetGatherer();
    if (this.#ended || leftOut.count === 0) return;
    const about = { source: 'activity', step: this.#step, at: this.#now() } as const;
    this.#writeGap();
    this.#outbox.leaveOut(this.#log.skip(leftOut.count, leftOut.level, about));
    this.#change();
  }

  /** Resolves when every line so far is durable, or given up by the store, which is told in the application's log. */
  async flushed(): Promise<void> {
    this.#takeWaiting();
    this.#writeGap();
    this.#madeOutbox?.handAll();
    await this.#store.flush(this.identity.id);
  }

  /** Something that is asked for the rest of its lines before the end. */
  addSource(source: LogSource): void {
    if (!this.#ended) this.#sources.add(source);
  }

  deleteSource(source: LogSource): void {
    this.#sources.delete(source);
  }

  /** Takes what writers have been given so far; called before the last lines of the tracker's own. */
  takeSources(): void {
    for (const source of this.#sources) source.takeRest();
  }

  /** The work is to stop: what it writes waits for nothing but the log. */
  stopSources(): void {
    for (const source of this.#sources) source.stop();
  }

  /**
   * Writes the last values and the outcome in one statement.
   * @returns whether this was first; resolves when it is durable, however long the store is away.
   */
  async settle(outcome: Outcome, { error, result }: { error?: StoredError; result?: Json }): Promise<CasResult> {
    this.takeSources();
    this.#writeGap();
    this.#madeOutbox?.handAll();
    const endedAt = this.#now();
    this.#criticalSection = null;
    this.#error = error ? this.#redaction.error(error) : null;
    this.#result = result === undefined ? undefined : this.#redaction.value(result);
    this.#end(outcome, endedAt);
    if (this.#lost) return { won: true };
    return this.#store.settle({
      id: this.identity.id,
      ...this.#owner,
      ...outcome,
      endedAt,
      error: this.#error,
      ...(this.#result === undefined ? {} : { result: this.#result }),
      changes: this.#changes(),
      ...(this.#cancel ? { cancel: this.#cancel } : {}),
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
    const { latestMessage, ...counts } = this.#log.counts;
    const now = this.#now();
    const { items: steps, omitted: omittedStepCount } = this.#madeProgress?.steps(now) ?? NO_STEPS;
    return {
      ...identity,
      status: this.#status,
      reason: this.#reason,
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
      ownerId: this.#owner.ownerId,
      version: this.#version,
    };
  }

  /** Whether a result would not be kept as it is, since it has secrets. */
  isMasked(result: Json): boolean {
    return JSON.stringify(this.#redaction.value(result)) !== JSON.stringify(result);
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
      metadata: identity.metadata,
      createdAt: identity.createdAt,
      ownerId: this.#owner.ownerId,
      fence: this.#owner.fence,
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
    this.#sources.clear();
    if (this.#gatherer) this.#forgetGatherer();
    this.#madeOutbox?.close();
    this.#endedAt = at;
    this.#madeProgress?.finish(status, at);
    this.#status = status;
    this.#reason = reason;
    this.#touch();
    this.#share?.end();
  }

  #forgetGatherer(): void {
    this.#gatherer = undefined;
    this.#parts.logMemory.release(GatheredLines.characters, 0);
  }

  #takeGathered(): void {
    this.#gatherer?.takeGathered();
  }

  /** What was written before comes before, though its writer may be waiting for its turn. */
  #takeWaiting(): void {
    for (const source of this.#sources) source.takeWaiting();
  }

  #write(said: OutputLine, isPrivate = false): void {
    this.#writeGap();
    const { level, source, step = this.#step } = said;
    const { text, omitted } = this.#lines.line(said.text, source, said.omitted);
    const { line, cut } = this.#log.write(level, text, { source, step, at: this.#now() }, omitted);
    for (const listener of this.#listeners ?? []) listener.line(line, isPrivate);
    if (!this.#lost) this.#outbox.push(line, cut);
  }

  #writeGap(): void {
    const gap = this.#log.gap({ step: this.#step, at: this.#now() });
    if (!gap) return;
    for (const listener of this.#listeners ?? []) listener.line(gap, false);
    if (!this.#lost) this.#outbox.push(gap);
  }

  /** As it is kept: so that a long name is the same step when it begins as when it was announced. */
  #stepName(name: string | number): string {
    return storableText(this.#redaction.text(String(name)), LENGTHS.step);
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
    this.#written = this.#store.update(this.identity.id, this.#owner, this.#changes()).catch((error: unknown) => {
      this.#changed.forget();
      this.#lose(error);
    });
  }

  #changes(): ActivityChanges {
    const now = this.#now();
    const changes = this.#changed.take({
      progress: this.#progressAt(now),
      expectedEndAt: this.#expectedEndAt(now),
      step: this.#step,
      criticalSection: this.#criticalSection,
      metadata: this.#metadata,
      ...this.#log.counts,
    });
    const stepRevision = this.#madeProgress?.stepRevision ?? 0;
    if (stepRevision === this.#stepRevision) return changes;
    this.#stepRevision = stepRevision;
    return { ...changes, steps: this.#progress.steps(now) };
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

  get #lines(): LineRedaction {
    return (this.#madeLines ??= new LineRedaction(this.#redaction));
  }

  get #outbox(): LogOutbox {
    if (this.#madeOutbox) return this.#madeOutbox;
    const store = this.#store;
    const { ownerId, fence } = this.#owner;
    const activityId = this.identity.id;
    const about = { activityId, ownerId, fence };
    this.#madeOutbox = new LogOutbox({
      headEnd: this.#log.headEnd,
      memory: this.#parts.logMemory,
      append: (lines) => store.append({ activityId, ownerId, fence, lines }),
      trim: (cut) => store.trim({ ...about, ...cut }),
      takeSomeGathered: () => this.#gatherer?.takeSomeGathered() ?? false,
      onLost: (error) => this.#lose(error),
    });
    return this.#madeOutbox;
  }

  #touch(): void {
    this.#updatedAt = this.#now();
    this.#version++;
    if (!this.#listeners) return;
    for (const listener of this.#listeners) listener.changed(this.state);
  }

  /** Never before what was noted last: a clock that steps back must not make a negative duration. */
  #now(): Date {
    const last = this.#updatedAt ?? this.identity.createdAt;
    // Lines come by the million: those of one millisecond share their time.
    return Date.now() > last.getTime() ? new Date() : last;
  }

  #late(what: string): boolean {
    if (this.#ended) this.#failures.onLate(what);
    return this.#ended;
  }

  #lose(error: unknown): void {
    this.#failures.onLost(error);
  }
}
