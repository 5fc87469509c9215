// A server of the bench's own process: `http-server.ts KIND MODE URL-or-FILE`, tells its port, runs until it is killed.
import 'reflect-metadata';
import {
  Controller,
  Get,
  Injectable,
  Module,
  UseInterceptors,
  type CallHandler,
  type NestInterceptor,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, TrackedActivity } from 'nestjs-activity';
import type { DataSourceOptions } from 'typeorm';
import type { Observable } from 'rxjs';
import { PREFIX } from './bench-app.js';

export interface HttpServerOrder {
  /** `untracked`: an interceptor that does nothing. `unstored`: tracked, with a store that does nothing. */
  mode: 'untracked' | 'unstored' | 'stored';
  options: DataSourceOptions;
}

@Injectable()
class DoesNothing implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Controller()
@UseInterceptors(DoesNothing)
class UntrackedController {
  @Get('work')
  async work(): Promise<{ ok: boolean }> {
    return { ok: true };
  }
}

@Controller()
class TrackedController {
  @Get('work')
  @TrackedActivity({ type: 'bench.http' })
  async work(): Promise<{ ok: boolean }> {
    return { ok: true };
  }
}

const { mode, options } = JSON.parse(process.argv[2]!) as HttpServerOrder;

@Module({ controllers: [UntrackedController] })
class UntrackedModule {}

@Module({
  imports: [TypeOrmModule.forRoot(options), ActivityModule.forRoot({ tablePrefix: PREFIX })],
  controllers: [TrackedController],
})
class TrackedModule {}

if (mode === 'unstored') {
  // Of the built package: whatever is not exported is the same module all the same.
  const file = import.meta.resolve('nestjs-activity').replace(/index\.js$/, 'storage/sql-activity-store.js');
  const { SqlActivityStore } = (await import(file)) as { SqlActivityStore: { prototype: Record<string, unknown> } };
  const done = Promise.resolve();
  const won = Promise.resolve({ won: true });
  Object.assign(SqlActivityStore.prototype, { insert: () => done, update: () => done, settle: () => won });
}
const app = await NestFactory.create<NestFastifyApplication>(
  mode === 'untracked' ? UntrackedModule : TrackedModule,
  new FastifyAdapter(),
  { logger: ['warn', 'error'] },
);
await app.listen(0, '127.0.0.1');
process.send!(new URL(await app.getUrl()).port);
process.once('disconnect', () => process.exit());
