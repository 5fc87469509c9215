export { ActivityModule } from './activity.module.js';
export { ActivityService, type BackgroundActivity } from './activity.service.js';
export type { ActivityBusCarrier, ActivityBusListener, BusOption } from './config/bus.options.js';
export { CANCEL_WAITS, type CancelHookOptions, type CancelOptions, type CancelWait } from './config/cancel.options.js';
export type { ActivityModuleOptions, ActorCall, MigrationPolicy } from './config/activity-module.options.js';
export type {
  ActivityOptions,
  ConflictPolicy,
  DisconnectPolicy,
  ExclusiveOptions,
  LimitOptions,
  OfCall,
  ReturnShape,
  StoreFailurePolicy,
  TrackedActivityOptions,
  TrackedCall,
} from './config/activity.options.js';
export type { CaptureLogsOptions } from './config/capture-logs.options.js';
export type { RedactOption } from './config/redact.options.js';
export type { RespondOptions, ResponseMode } from './config/respond.options.js';
export type { ActivityModuleExtras, StatusRouteOptions } from './config/status-route.options.js';
export type { Duration } from './config/duration.js';
export type { RetentionLimits, RetentionOptions, RetentionRule } from './config/retention.options.js';
export type { ActivityContext, ActivityLogger, ChildActivityOptions } from './execution/activity-context.js';
export type { ActivityListener } from './execution/activity-events.js';
export type { ActivityHandle } from './execution/activity-handle.js';
export type { CancelHook } from './execution/cancel-hooks.js';
export { currentActivity } from './execution/ambient-activity.js';
export { captureLine } from './execution/capture-line.js';
export type { StepOptions } from './execution/activity-progress.js';
export type { ChildrenReport, CountReport, ProgressReport } from './execution/progress-meter.js';
export type { PlannedStep } from './execution/step-list.js';
export type { CancelReceipt } from './execution/request-cancel.js';
export { ActivityError, type ActivityErrorCode } from './model/activity-error.js';
export {
  MESSAGE_LEVELS,
  type Activity,
  type ActivityMessage,
  type ActivityStep,
  type ActivitySummary,
  type Actor,
  type Json,
  type JsonObject,
  type MessageLevel,
  type MessageSource,
  type Origin,
  type Progress,
  type Resource,
  type StepStatus,
  type StoredError,
  type UsualDuration,
} from './model/activity.js';
export { withoutStacks } from './model/caller-view.js';
export { publicErrorOf, type PublicError } from './model/public-error.js';
export {
  ActivityCancelledError,
  ActivityClientDisconnectedError,
  ActivityDeadlineError,
  ActivityForcedError,
  ActivityOwnerLostError,
  ActivityParentCancelledError,
  ActivityShutdownError,
  ActivitySupersededError,
  ActivityUserCancelledError,
  cancellationOf,
  cancelledByUser,
  type CancelRequest,
} from './model/cancellation.js';
export * from './model/errors.js';
export * from './model/key-errors.js';
export type { ActivityEvent, ActivityEventName } from './model/events.js';
export type { ActivityOwner, ActivityProcess } from './model/owner.js';
export type { ChosenReason, OutcomeChoices } from './model/outcome.js';
export type { ActivityFrame, DoneFrame, ErrorFrame, GapFrame, LogFrame, StartedFrame } from './model/frames.js';
export { ABORT_REASONS, ACTIVITY_REASONS, type AbortReason, type ActivityReason } from './model/reasons.js';
export { ACTIVITY_SORTS, type ActivitySort } from './model/sorts.js';
export type { ActivityStats, RecentFigures, WaitingWrites } from './model/stats.js';
export {
  ACTIVE_STATUSES,
  ACTIVITY_STATUSES,
  FINAL_STATUSES,
  canFollow,
  isActivityStatus,
  isFinalStatus,
  type ActiveStatus,
  type ActivityStatus,
  type FinalStatus,
} from './model/statuses.js';
export type { ActivityWriter } from './output/activity-writer.js';
export type { CommandOptions } from './output/command.options.js';
export { dockerFrames } from './output/docker-frames.js';
export type { FrameNames, FrameReader, OutputFrame } from './output/frames.js';
export type { CommandResult } from './output/run-command.js';
export type { WriterOptions } from './output/writer.options.js';
export type {
  ActivityCount,
  ActivityFilter,
  ActivityPage,
  ActivityQuery,
  MessageQuery,
  PruneResult,
} from './storage/activity-store.js';
export { activityDataSourceOptions } from './storage/data-source-options.js';
export { ActivityAddresses } from './tracking/activity-addresses.js';
export {
  plainProblem,
  problemOfActivityError,
  type ActivityProblem,
  type ProblemAnswer,
} from './tracking/activity-problem.js';
export { refusalOf } from './tracking/refused-call.js';
export { actorOfRequest } from './tracking/default-actor.js';
export { CurrentActivity } from './tracking/current-activity.decorator.js';
export { TrackedActivity } from './tracking/tracked-activity.decorator.js';
export { writeDoneLine, writeStartedLine, type DoneLine, type LineTarget } from './tracking/responses/write-lines.js';
