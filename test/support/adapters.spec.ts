import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject } from '@nestjs/common';
import request from 'supertest';
import { describeEachAdapter, type StartedApp } from './adapters.js';

@Controller('greeting')
class GreetingController {
  constructor(@Inject('GREETING') private readonly greeting: string) {}

  @Get()
  greet() {
    return { greeting: this.greeting };
  }
}

const metadata = {
  controllers: [GreetingController],
  providers: [{ provide: 'GREETING', useValue: 'hello' }],
};

describeEachAdapter('a test app', (adapter) => {
  it('answers at its address', async () => {
    const { url } = await adapter.start(metadata);
    const { body } = await request(url).get('/greeting').expect(200);
    expect(body).toEqual({ greeting: 'hello' });
  });

  it('runs on the adapter that the title names', async () => {
    const { app } = await adapter.start(metadata);
    expect(app.getHttpAdapter().getType()).toBe(adapter.kind);
  });

  it('takes overrides of its providers, and settings of the app', async () => {
    const { url } = await adapter.start(metadata, {
      override: (builder) => builder.overrideProvider('GREETING').useValue('good morning'),
      configure: (app) => void app.setGlobalPrefix('api'),
    });
    const { body } = await request(url).get('/api/greeting').expect(200);
    expect(body).toEqual({ greeting: 'good morning' });
  });

  describe('which a test started', () => {
    let ofTest: StartedApp;

    it('answers during that test', async () => {
      ofTest = await adapter.start(metadata);
      await request(ofTest.url).get('/greeting').expect(200);
    });

    it('is closed before the next', async () => {
      await expect(request(ofTest.url).get('/greeting')).rejects.toMatchObject({
        code: 'ECONNREFUSED',
      });
    });
  });

  describe('which a block started', () => {
    let ofBlock: StartedApp;

    beforeAll(async () => {
      ofBlock = await adapter.start(metadata);
    });
    afterAll(async () => {
      await request(ofBlock.url).get('/greeting').expect(200);
    });

    it.each(['first', 'second'])('answers in its %s test', async () => {
      await request(ofBlock.url).get('/greeting').expect(200);
    });
  });
});
