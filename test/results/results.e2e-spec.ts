import type { INestApplication } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Activity } from 'nestjs-activity';
import { ActivityExceptionFilter } from 'nestjs-activity/admin';
import { fileURLToPath } from 'node:url';
import { closeApps, type HttpKind } from '../support/tracked-app.js';
import { ENDINGS } from './ending.js';
import { ClientCall } from './http-client.js';
import { outcomeOn, RESULT_KINDS, type Seen } from './results-table.js';
import { ResultsController } from './results.controller.js';
import { Stage } from './scene.js';
import { HTTP_KINDS, servedApp, type ServedApp } from './served-app.js';

afterAll(closeApps);

const TITLES = {
  well: 'and ends well',
  throws: 'and throws half-way',
  cancelled: 'and is cancelled half-way',
  left: 'whose client leaves half-way',
};

describe.each(HTTP_KINDS)('[F91] a handler on %s that returns', (_name, http) => {
  let served: ServedApp;

  beforeAll(async () => {
    served = await servedApp(
      http,
      {
        controllers: [ResultsController],
        providers: [Stage, { provide: APP_FILTER, useClass: ActivityExceptionFilter }],
      },
      { configure: (app) => showViews(app, http) },
    );
  });

  for (const kind of RESULT_KINDS) {
    describe(kind.returns, () => {
      for (const ending of ENDINGS) {
        const expected = outcomeOn(http, kind, ending);
        if (!expected) continue;
        // Where the adapter does not send the result, it is not read, and has no half.
        const isRead = outcomeOn(http, kind, 'left') !== undefined;

        it(`${TITLES[ending]}: ${expected.status}`, async () => {
          const { url, probe, activities, whenClientsAreGone } = served;
          const scene = served.get(Stage).begin(ending);
          const started = nextStarted(served);
          const call = new ClientCall(`${url}/${kind.kind}`);
          const { id } = await started;
          if (isRead) {
            await scene.half.promise;
            if (kind.firstHalf) await call.received(kind.firstHalf);
            expect(await probe.row(id)).toMatchObject({ status: 'running', endedAt: null });
          }
          if (ending === 'cancelled') await activities.cancel(id);
          else if (ending !== 'left') scene.goOn.resolve();
          else {
            const gone = whenClientsAreGone();
            call.leave();
            await gone;
            // What flows ends with its client; what has yet to give a value goes on.
            if (expected.status === 'succeeded' || !kind.firstHalf) scene.goOn.resolve();
          }
          if (expected.seen) expectSeen(await call.whole, { ...expected.seen, id });
          const { status, reason } = await probe.settled(id);
          expect({ status, reason }).toEqual({ status: expected.status, reason: expected.reason });
          await scene.whenClosed();
          expect({ runs: scene.runs, activities: [...scene.ids] }).toEqual({ runs: 1, activities: [id] });
          expect(probe.count('settled', id)).toBe(1);
          scene.goOn.resolve();
        });
      }
    });
  }

  it('leaves nothing running, and no connection open', async () => {
    const { activities, sockets, app } = served;
    const { items } = await activities.list({ status: ['queued', 'running', 'cancelling'] });
    expect(items).toEqual([]);
    await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    const connections = new Promise((resolve, reject) =>
      (app.getHttpServer() as import('node:net').Server).getConnections((error, count) =>
        error ? reject(error) : resolve(count),
      ),
    );
    expect(await connections).toBe(0);
    expect(process.getActiveResourcesInfo()).not.toContain('TCPSocketWrap');
  });
});

function nextStarted({ activities }: ServedApp): Promise<Activity> {
  return new Promise((resolve) => {
    const stop = activities.on(({ name, activity }) => {
      if (name !== 'started') return;
      stop();
      resolve(activity);
    });
  });
}

function expectSeen(
  answer: { status: number; headers: Record<string, unknown>; body: string; end: string },
  { id, status, body, end }: Seen & { id: string },
): void {
  expect({ status: answer.status, end: answer.end, activityId: answer.headers['activity-id'] }).toEqual({
    status,
    end,
    activityId: id,
  });
  expect(answer.body).toMatch(body);
}

/** An engine of a few lines: what it is about is when the view is rendered. */
function showViews(app: INestApplication, http: HttpKind): void {
  const page = (data: { title: string }): string => `<h1>${data.title}</h1>`;
  if (http === 'fastify') {
    const fastify = (app as NestFastifyApplication).getHttpAdapter().getInstance();
    fastify.decorateReply(
      'view',
      function (this: { type(name: string): { send(body: string): unknown } }, _template: string, data?: unknown) {
        return this.type('text/html').send(page(data as { title: string }));
      },
    );
    return;
  }
  const express = app as NestExpressApplication;
  express.engine('html', (_path: string, data: object, done: (error: unknown, html: string) => void) =>
    done(null, page(data as { title: string })),
  );
  express.setViewEngine('html');
  express.setBaseViewsDir(fileURLToPath(new URL('views', import.meta.url)));
}
