import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplication, LoggerService, ModuleMetadata } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService } from 'nestjs-activity';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { ActivityProbe } from './activity-probe.js';

/** Keeps what the application logs, to be read by tests. */
export class KeptLog implements LoggerService {
  readonly lines: { level: string; text: string }[] = [];
  log = (text: unknown): void => void this.lines.push({ level: 'log', text: String(text) });
  warn = (text: unknown): void => void this.lines.push({ level: 'warn', text: String(text) });
  error = (text: unknown): void => void this.lines.push({ level: 'error', text: String(text) });
  debug = (text: unknown): void => void this.lines.push({ level: 'debug', text: String(text) });

  warnings(about = ''): string[] {
    return this.lines.filter(({ level, text }) => level === 'warn' && text.includes(about)).map(({ text }) => text);
  }
}

export interface TrackedApp {
  app: INestApplication;
  activities: ActivityService;
  probe: ActivityProbe;
  dataSource: DataSource;
  log: KeptLog;
  get: <T>(type: abstract new (...args: never[]) => T) => T;
}

export type HttpKind = 'express' | 'fastify';

export interface TrackedAppOptions {
  activity?: Parameters<typeof ActivityModule.forRoot>[0];
  database?: DataSourceOptions;
  /** Before or after the modules of the test. Default before. */
  activityModuleLast?: boolean;
  configure?: (app: INestApplication) => void | Promise<void>;
  /** Default Express. */
  http?: HttpKind;
}

const open: INestApplication[] = [];
const folders: string[] = [];

/** A real application on a SQLite database in memory (or the one given), closed at the end of the test. */
export async function trackedApp(
  { imports = [], ...metadata }: ModuleMetadata,
  { activity = {}, database, activityModuleLast = false, configure, http = 'express' }: TrackedAppOptions = {},
): Promise<TrackedApp> {
  const tracker = ActivityModule.forRoot({ shutdownGrace: 50, ...activity });
  const module = await Test.createTestingModule({
    ...metadata,
    imports: [
      TypeOrmModule.forRoot(database ?? { type: 'better-sqlite3', database: ':memory:' }),
      ...(activityModuleLast ? [...imports, tracker] : [tracker, ...imports]),
    ],
  }).compile();
  const log = new KeptLog();
  const app = module.createNestApplication(http === 'fastify' ? new FastifyAdapter() : new ExpressAdapter());
  app.useLogger(log);
  open.push(app);
  const activities = app.get(ActivityService);
  const probe = new ActivityProbe(activities);
  await configure?.(app);
  await app.init();
  if (http === 'fastify') await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
  return { app, activities, probe, dataSource: app.get(DataSource), log, get: (type) => app.get(type) };
}

/** A SQLite file of the test's own, gone with its applications. */
export function databaseFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-activity-'));
  folders.push(folder);
  return join(folder, 'app.db');
}

/** Closes the applications of the test and deletes its files; for `afterEach`. */
export async function closeApps(): Promise<void> {
  for (const app of open.splice(0).toReversed()) await app.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
