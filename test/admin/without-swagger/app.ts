import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService } from 'nestjs-activity';
import { ActivityAdminModule } from 'nestjs-activity/admin';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
    ActivityModule.forRoot({ shutdownGrace: 50 }),
    ActivityAdminModule.forRoot({ public: true }),
  ],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
const base = `${await app.getUrl()}/admin/activities`;
const handle = await app.get(ActivityService).start({ type: 'waits' });
const hasSwagger = await import('@nestjs/swagger').then(
  () => true,
  () => false,
);

const answers = [];
for (const [method, path] of [
  ['GET', ''],
  ['GET', '/abc'],
  ['POST', `/${handle.id}/cancel`],
  ['GET', '?limit=0'],
  ['DELETE', '?all=true'],
] as const) {
  const answer = await fetch(base + path, { method });
  const body = (await answer.json()) as object;
  answers.push([answer.status, answer.headers.get('content-type'), Object.keys(body).toSorted()]);
}
await handle.settle(handle.signal.reason);
process.stdout.write(JSON.stringify({ hasSwagger, answers }));
await app.close();
