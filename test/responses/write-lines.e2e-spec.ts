import { Writable } from 'node:stream';
import { BadRequestException, Controller, Post, Res } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import {
  ActivityCancelledError,
  CurrentActivity,
  TrackedActivity,
  writeDoneLine,
  writeStartedLine,
  type ActivityContext,
  type ActivityFrame,
  type LineTarget,
} from 'nestjs-activity';
import { readActivityStream } from 'nestjs-activity/client';
import compression from 'compression';
import { closeApps } from '../support/tracked-app.js';
import { HTTP_KINDS, servedApp } from '../results/served-app.js';

afterEach(closeApps);

type Response = LineTarget & Writable & { raw?: Writable };

@Controller('own')
class OwnController {
  @Post()
  @TrackedActivity({ type: 'own' })
  async own(@Res() response: Response, @CurrentActivity() activity: ActivityContext) {
    writeStartedLine(response, activity.id);
    writeDoneLine(response, { result: { files: 2 } });
    writeDoneLine(response, { error: new Error('a second end') });
    (response.raw ?? response).end();
  }

  @Post('fails')
  @TrackedActivity({ type: 'fails' })
  async fails(@Res() response: Response, @CurrentActivity() activity: ActivityContext) {
    writeStartedLine(response, activity.id);
    for (const error of [new BadRequestException('not so')]) writeDoneLine(response, { error });
    (response.raw ?? response).end();
  }

  @Post('forgets')
  @TrackedActivity({ type: 'forgets' })
  async forgets(@Res() response: Response, @CurrentActivity() activity: ActivityContext) {
    writeStartedLine(response, activity.id);
    (response.raw ?? response).end();
  }
}

async function framesOf(response: globalThis.Response): Promise<ActivityFrame[]> {
  const frames: ActivityFrame[] = [];
  for await (const frame of readActivityStream(response)) frames.push(frame);
  return frames;
}

describe.each(HTTP_KINDS)('the lines of a response that a handler writes itself, on %s', (_name, http) => {
  const served = () =>
    servedApp(
      http,
      { controllers: [OwnController] },
      {
        configure: (app) => {
          app.enableCors({ origin: ['https://example.org'] });
          if (http === 'express') (app as NestExpressApplication).use(compression());
        },
      },
    );

  it('are those of the mode stream, with its headers and those of CORS', async () => {
    const { url, probe } = await served();
    const headers = { origin: 'https://example.org' };
    const response = await fetch(`${url}/own`, { method: 'POST', headers });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'access-control-allow-origin': 'https://example.org',
    });
    const frames = await framesOf(response);
    const { id } = await probe.only();
    expect(frames).toEqual([
      { type: 'started', id, status: 'running' },
      { type: 'done', id, status: 'succeeded', result: { files: 2 } },
    ]);
  });

  it('tell an error by the rule of the mode stream, and a forgotten end as a cut', async () => {
    const { url } = await served();
    const failed = await framesOf(await fetch(`${url}/own/fails`, { method: 'POST' }));
    expect(failed.at(-1)).toMatchObject({ type: 'error', status: 'failed', message: 'not so', statusCode: 400 });
    await expect(framesOf(await fetch(`${url}/own/forgets`, { method: 'POST' }))).rejects.toMatchObject({
      code: 'ACTIVITY_STREAM_CUT',
      activityId: failed[0]!.type === 'started' ? (expect.any(String) as string) : '',
    });
  });
});

describe('the lines on any Writable', () => {
  it('need no activity, and no reader that is still there', () => {
    const chunks: string[] = [];
    const target = new Writable({
      write(chunk, _encoding, callback) {
        chunks.push(String(chunk));
        callback();
      },
    });
    writeStartedLine(target, 'x', { status: 'queued' });
    writeDoneLine(target, { error: new ActivityCancelledError('user', 'x') });
    expect(chunks.map((chunk) => JSON.parse(chunk) as ActivityFrame)).toEqual([
      { type: 'started', id: 'x', status: 'queued' },
      expect.objectContaining({ type: 'error', code: 'ACTIVITY_CANCELLED' }),
    ]);
    const left = new Writable().destroy();
    writeStartedLine(left, 'x');
    writeDoneLine(left);
  });
});
