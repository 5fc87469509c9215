import {
  BadRequestException,
  Catch,
  ConflictException,
  Controller,
  Get,
  Param,
  Res,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import {
  ActivityAlreadySettledError,
  ActivityCancelledError,
  ActivityDeadlineError,
  ActivityNotFoundError,
  ActivityOptionError,
  ActivityQueueTimeoutError,
  ActivityShutDownError,
  ActivityShutdownError,
  ActivityStoreError,
  ActivityWaitTimeoutError,
} from 'nestjs-activity';
import { ActivityExceptionFilter } from 'nestjs-activity/admin';
import request from 'supertest';
import { describeEachAdapter } from '../support/adapters.js';
import { KeptLog } from '../support/tracked-app.js';

/** As an error of another installed copy of the package looks: the brand, and no class of ours. */
function foreignNotFound(): Error {
  const error = new Error('No activity has the id "x".');
  return Object.assign(error, { code: 'ACTIVITY_NOT_FOUND', [Symbol.for('nestjs-activity.error')]: true });
}

class Teapot extends Error {}

@Catch(Teapot)
class TeapotFilter implements ExceptionFilter {
  catch(_error: Teapot, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<{ status(code: number): { send(text: string): void } }>().status(418).send('short');
  }
}

const ERRORS: Record<string, () => Error> = {
  cancelled: () => new ActivityCancelledError('user', 'x', { by: { id: 'ada' }, reason: 'wrong tag' }),
  deadline: () => new ActivityDeadlineError('x', 50),
  interrupted: () => new ActivityShutdownError('x'),
  unknown: () => new ActivityNotFoundError('x'),
  foreign: foreignNotFound,
  late: () => new ActivityAlreadySettledError('x', 'failed'),
  crowded: () => new ActivityQueueTimeoutError('x', 50, 'docker'),
  waiting: () => new ActivityWaitTimeoutError('x', 'running', 50),
  stopping: () => new ActivityShutDownError('import'),
  storeless: () => new ActivityStoreError('connect ECONNREFUSED 10.0.0.7 as admin:hunter2'),
  misused: () => new ActivityOptionError('Activity options', ['`limit` is NaN']),
  conflict: () => new ConflictException('taken'),
  validation: () => new BadRequestException(['a must be b']),
  teapot: () => new Teapot(),
  bug: () => new TypeError('secret'),
};

@Controller()
class FailingController {
  @Get('fail/:how')
  fail(@Param('how') how: string): never {
    throw ERRORS[how]!();
  }

  @Get('begun')
  begun(@Res() response: { raw?: { write(text: string): void }; write?(text: string): void }): never {
    (response.raw ?? (response as { write(text: string): void })).write('begun');
    throw new ActivityNotFoundError('x');
  }
}

describeEachAdapter('ActivityExceptionFilter', (adapter) => {
  const log = new KeptLog();
  let url: string;

  beforeAll(async () => {
    ({ url } = await adapter.start(
      {
        controllers: [FailingController],
        providers: [
          { provide: APP_FILTER, useClass: TeapotFilter },
          { provide: APP_FILTER, useClass: ActivityExceptionFilter },
        ],
      },
      { configure: (app) => app.useLogger(log) },
    ));
  });

  it.each([
    ['cancelled', 409, 'ACTIVITY_CANCELLED'],
    ['deadline', 504, 'ACTIVITY_CANCELLED'],
    ['interrupted', 503, 'ACTIVITY_CANCELLED'],
    ['unknown', 404, 'ACTIVITY_NOT_FOUND'],
    ['foreign', 404, 'ACTIVITY_NOT_FOUND'],
    ['late', 409, 'ACTIVITY_ALREADY_SETTLED'],
    ['crowded', 503, 'ACTIVITY_QUEUE_TIMEOUT'],
    ['waiting', 504, 'ACTIVITY_WAIT_TIMEOUT'],
    ['stopping', 503, 'ACTIVITY_SHUT_DOWN'],
    ['storeless', 503, 'ACTIVITY_STORE_UNAVAILABLE'],
    ['misused', 500, 'ACTIVITY_OPTION_INVALID'],
  ])('answers an activity that is %s with %i', async (how, status, code) => {
    const { body, headers } = await request(url).get(`/fail/${how}?a=1`).expect(status);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({ type: 'about:blank', status, code, instance: `/fail/${how}` });
    expect(headers['retry-after']).toBe(status === 503 ? '5' : undefined);
  });

  it('tells what the caller can use, and keeps for the log what it cannot', async () => {
    const late = await request(url).get('/fail/late');
    expect(late.body).toMatchObject({
      activityId: 'x',
      activityStatus: 'failed',
      detail: expect.stringContaining('already'),
    });
    const storeless = await request(url).get('/fail/storeless');
    expect(storeless.text).not.toContain('hunter2');
    expect(storeless.body.detail).toBe('The activity tracker could not answer.');
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', text: expect.stringContaining('hunter2') }),
    );
    const misused = await request(url).get('/fail/misused');
    expect(misused.text).not.toContain('NaN');
  });

  it("leaves all other errors to Nest and to the app's own filters", async () => {
    const conflict = await request(url).get('/fail/conflict').expect(409);
    expect(conflict.body).toEqual({ message: 'taken', error: 'Conflict', statusCode: 409 });
    const validation = await request(url).get('/fail/validation').expect(400);
    expect(validation.body.message).toEqual(['a must be b']);
    expect((await request(url).get('/fail/teapot').expect(418)).text).toBe('short');
    const bug = await request(url).get('/fail/bug').expect(500);
    expect(bug.body).toEqual({ statusCode: 500, message: 'Internal server error' });
  });

  it('ends an answer that had begun, without a second one', async () => {
    expect((await request(url).get('/begun').expect(200)).text).toBe('begun');
  });
});
