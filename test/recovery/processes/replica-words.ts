import type { ActivityModuleOptions, ActivityOptions } from 'nestjs-activity';
import type { DataSourceOptions } from 'typeorm';

/** What a replica is, as its last argument. */
export interface ReplicaOrder {
  options: DataSourceOptions;
  activity: ActivityModuleOptions;
}

/** An activity that it is to start; `task` is said with its id. */
export interface ReplicaTask extends Pick<ActivityOptions, 'limit' | 'exclusive'> {
  task: number;
  work: 'wait' | 'block' | 'grind';
  /** How long it blocks, or grinds. */
  ms?: number;
}

/** What it says on its channel. */
export type ReplicaWord =
  /** `time`: of its clock. */
  | { kind: 'ready'; time: number }
  | { kind: 'started'; id: string; task: number }
  | { kind: 'begun'; id: string }
  | { kind: 'aborted'; id: string; reason: string }
  | { kind: 'ended'; id: string; error: string | null }
  | { kind: 'warning'; text: string };
