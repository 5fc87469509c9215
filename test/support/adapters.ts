import { afterAll, afterEach, beforeEach, describe } from '@jest/globals';
import type { INestApplication, ModuleMetadata, NestApplicationOptions } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';

export type AdapterKind = 'express' | 'fastify';

export interface StartOptions {
  /** Before the module is compiled: `(builder) => builder.overrideProvider(…).useValue(…)`. */
  override?(builder: TestingModuleBuilder): TestingModuleBuilder;
  /** Before the app listens: global prefix, versioning, pipes. */
  configure?(app: INestApplication): void | Promise<void>;
  /** For `NestFactory.create`'s counterpart: body parser, logger, … */
  application?: NestApplicationOptions;
}

/** A test app that listens on a port of its own. */
export interface StartedApp {
  readonly app: INestApplication;
  /** `http://127.0.0.1:40123`, without a slash at its end. */
  readonly url: string;
  /** Called for every app when its test, or else its block, ends; calling it before that is fine. */
  close(): Promise<void>;
}

export interface AdapterUnderTest {
  readonly kind: AdapterKind;
  /** As people write it, for titles: `Express`. */
  readonly name: string;
  /**
   * Compiles a module, listens at 127.0.0.1 on a free port. What a test or a `beforeEach` started is closed after that
   * test, what a `beforeAll` started after the block.
   */
  start(metadata: ModuleMetadata, options?: StartOptions): Promise<StartedApp>;
}

/**
 * Writes the same tests once per HTTP adapter: `describeEachAdapter('the admin API', (adapter) => { … })` gives the
 * blocks "the admin API on Express" and "… on Fastify".
 */
export function describeEachAdapter(subject: string, block: (adapter: AdapterUnderTest) => void): void;
export function describeEachAdapter(block: (adapter: AdapterUnderTest) => void): void;
export function describeEachAdapter(
  ...args: [subject: string, block: (adapter: AdapterUnderTest) => void] | [block: (adapter: AdapterUnderTest) => void]
): void {
  const block = args.length === 2 ? args[1] : args[0];
  const subject = args.length === 2 ? `${args[0]} ` : '';

  describe(`${subject}on Express`, () => {
    runBlock(block, 'express', 'Express', () => new ExpressAdapter());
  });
  describe(`${subject}on Fastify`, () => {
    runBlock(block, 'fastify', 'Fastify', () => new FastifyAdapter());
  });
}

function runBlock(
  block: (adapter: AdapterUnderTest) => void,
  kind: AdapterKind,
  name: string,
  createAdapter: () => ExpressAdapter | FastifyAdapter,
): void {
  const open = {
    ofBlock: new Set<StartedApp>(),
    ofTest: new Set<StartedApp>(),
  };
  let inTest = false;

  beforeEach(() => {
    inTest = true;
  });

  block({
    kind,
    name,
    async start(metadata, options = {}) {
      const owner = inTest ? open.ofTest : open.ofBlock;
      const builder = Test.createTestingModule(metadata);
      const module = await (options.override?.(builder) ?? builder).compile();
      const app = module.createNestApplication(createAdapter(), options.application);
      const started: StartedApp = {
        app,
        url: '',
        async close() {
          if (owner.delete(started)) await app.close();
        },
      };
      owner.add(started);
      await options.configure?.(app);
      await app.listen(0, '127.0.0.1');
      return Object.assign(started, { url: await app.getUrl() });
    },
  });

  // After the block's own hooks, which may still want to ask the app something.
  afterEach(async () => {
    inTest = false;
    await closeAll(open.ofTest);
  });
  afterAll(() => closeAll(open.ofBlock));
}

async function closeAll(apps: Set<StartedApp>): Promise<void> {
  await Promise.all([...apps].map((app) => app.close()));
}
