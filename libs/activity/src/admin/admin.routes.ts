import { Delete, Get, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import {
  ActivityError,
  ActivityNotFoundError,
  ActivityService,
  isFinalStatus,
  withoutStacks,
  type Activity,
} from '../index.js';
import { cancelBodyOf, idOf, refuseCrossSite, type RoutedRequest } from './admin-request.js';
import type { AdminSettings } from './admin.options.js';
import { sendJson, type NativeResponse } from './json-answer.js';
import { readClearQuery, readListQuery, readMessageQuery } from './queries.js';

export const ADMIN_SETTINGS = Symbol('ActivityAdminModule settings');

/**
 * The routes, without a path and guards of their own.
 * They read the request and write the answer themselves (`@Req()`, `@Res()`): an app-wide pipe, a serializer, a cache or
 * an interceptor that wraps every answer then makes no difference here.
 */
export class AdminRoutes {
  constructor(
    @Inject(ActivityService) private readonly activities: ActivityService,
    @Inject(ADMIN_SETTINGS) private readonly settings: AdminSettings,
  ) {}

  @Get()
  async list(@Req() request: RoutedRequest, @Res() response: NativeResponse): Promise<void> {
    sendJson(response, 200, await this.activities.list(readListQuery(request.url)));
  }

  @Delete()
  async clearHistory(@Req() request: RoutedRequest, @Res() response: NativeResponse): Promise<void> {
    refuseCrossSite(request);
    sendJson(response, 200, { deleted: await this.activities.clearHistory(readClearQuery(request.url)) });
  }

  @Get(':id')
  async get(@Req() request: RoutedRequest, @Res() response: NativeResponse): Promise<void> {
    const id = idOf(request);
    const activity = await this.activities.get(id);
    if (!activity) throw new ActivityNotFoundError(id);
    const usual = await this.activities.usualDuration(activity.type, { scope: activity.scope });
    sendJson(response, 200, { ...this.shown(activity), usual });
  }

  @Get(':id/messages')
  async messages(@Req() request: RoutedRequest, @Res() response: NativeResponse): Promise<void> {
    const id = idOf(request);
    const query = readMessageQuery(request.url);
    const items = await this.activities.messages(id, query);
    sendJson(response, 200, { items, next: items.at(-1)?.seq ?? query.after ?? 0 });
  }

  @Post(':id/cancel')
  @HttpCode(202)
  async cancel(@Req() request: RoutedRequest, @Res() response: NativeResponse): Promise<void> {
    refuseCrossSite(request);
    const id = idOf(request);
    const { reason, force, wait, timeoutMs } = cancelBodyOf(request);
    const by = await this.settings.actor(request);
    const { activity } = await this.activities.cancel(id, { by, reason, force });
    const latest = wait === 'settled' ? await this.endOf(activity, timeoutMs) : activity;
    sendJson(response, wait === 'settled' && isFinalStatus(latest.status) ? 200 : 202, this.shown(latest));
  }

  /** The activity once it has ended, or as it is when the time is over. */
  private async endOf(activity: Activity, timeout: number): Promise<Activity> {
    try {
      return await this.activities.waitFor(activity.id, { timeout });
    } catch (error) {
      if (!ActivityError.is(error) || error.code !== 'ACTIVITY_WAIT_TIMEOUT') throw error;
      return (await this.activities.get(activity.id)) ?? activity;
    }
  }

  private shown(activity: Activity): Activity {
    return this.settings.stacks ? activity : withoutStacks(activity);
  }
}
