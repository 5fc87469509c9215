import { Get, Inject, NotFoundException, Req, Res } from '@nestjs/common';
import { validate } from 'uuid';
import { ActivityRunner } from '../../execution/activity-runner.js';
import type { Activity, Actor } from '../../model/activity.js';
import { toActor } from '../../model/activity.js';
import { activityForCaller } from '../../model/caller-view.js';
import { isFinalStatus } from '../../model/statuses.js';
import { actorOfRequest } from '../default-actor.js';
import { retryAfterSeconds } from '../responses/retry-after.js';
import { SeenDurations } from '../responses/seen-durations.js';

/** Reads one activity; `ActivityService` is one. */
export interface ActivityReader {
  get(id: string): Promise<Activity | null>;
}
export const ACTIVITY_READER = Symbol('ActivityReader');

interface StatusRequest {
  params: { id?: string };
  headers: Record<string, string | string[] | undefined>;
}

/** What Express's response and Fastify's reply have in common. */
interface StatusResponse {
  status(code: number): this;
  header(name: string, value: string): this;
  send(body?: string): unknown;
}

/**
 * Shows one activity to the one who started it; an activity that nobody is said to have started, to all who know its id.
 * Read-only: cancelling and the log are the admin API's. It writes its answer itself, so that interceptors of the
 * application make no difference to what clients poll.
 */
export class StatusRoutes {
  constructor(
    @Inject(ACTIVITY_READER) private readonly activities: ActivityReader,
    @Inject(ActivityRunner) private readonly runner: ActivityRunner,
    @Inject(SeenDurations) private readonly durations: SeenDurations,
  ) {}

  /** @throws {NotFoundException} for one that is not known, and for another's alike. */
  @Get(':id')
  async show(@Req() request: StatusRequest, @Res() response: StatusResponse): Promise<void> {
    const { id = '' } = request.params;
    const activity = validate(id) ? await this.activities.get(id) : null;
    if (!activity || !(await this.#mayRead(activity.actor, request))) {
      throw new NotFoundException('No activity has this id.');
    }
    const tag = `"${activity.id}-${activity.version}-${activity.status}"`;
    response
      .header('ETag', tag)
      .header('Cache-Control', 'private, no-cache')
      .header('X-Content-Type-Options', 'nosniff');
    if (!isFinalStatus(activity.status)) response.header('Retry-After', String(this.#retryAfter(activity)));
    if (String(request.headers['if-none-match'] ?? '').includes(tag)) response.status(304).send();
    else {
      response
        .status(200)
        .header('Content-Type', 'application/json; charset=utf-8')
        .send(JSON.stringify(activityForCaller(activity)));
    }
  }

  #retryAfter({ type, createdAt }: Activity): number {
    return retryAfterSeconds({ elapsedMs: Date.now() - createdAt.getTime(), usualMs: this.durations.of(type) });
  }

  async #mayRead(actor: Actor | null, request: StatusRequest): Promise<boolean> {
    if (actor === null) return true;
    const { actor: ask } = this.runner.settings;
    const call = { args: [], instance: this, className: 'ActivityStatus', methodName: 'show', request };
    const asker = toActor(ask ? await ask(call) : actorOfRequest(request));
    return asker?.id === actor.id;
  }
}
