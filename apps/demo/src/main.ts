import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { DemoStartError, readSettings, type DemoSettings } from './demo.settings.js';
import { serveDocs } from './docs.js';
import { refuseTakenPort } from './refuse-taken-port.js';

/** Reachable from this machine only: whoever reaches the demo may run its commands. */
const HOST = '127.0.0.1';

try {
  await start(readSettings(process.env));
} catch (error) {
  // What the reader of the terminal can mend is said in a line, the rest with its stack.
  console.error(error instanceof DemoStartError ? error.message : error);
  process.exit(1);
}

async function start(settings: DemoSettings): Promise<void> {
  await refuseTakenPort(settings.port, HOST);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(settings), {
    logger: ['fatal', 'error', 'warn'],
    abortOnError: false,
  });
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }));
  app.enableShutdownHooks();
  serveDocs(app);
  await app.listen(settings.port, HOST);
  const { port } = new URL(await app.getUrl());
  console.log(welcome(`http://localhost:${port}`, settings));
}

function welcome(url: string, { database }: DemoSettings): string {
  return `
The demo of nestjs-activity is running.

  API         ${url}   (README.md walks through it with curl)
  Swagger UI  ${url}/docs
  Activities  ${url}/admin/activities
  Database    ${database}

Ctrl+C stops it. What still runs then has a second to finish, or is kept as "interrupted".
`;
}
