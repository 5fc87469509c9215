import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { ActivityService, currentActivity, TrackedActivity } from 'nestjs-activity';
import { DataSource } from 'typeorm';
import { grouped } from '../grouped.js';

/** A job on a plain provider: deletes old history and measures the database. */
@Injectable()
export class DatabaseUpkeep {
  constructor(
    private readonly dataSource: DataSource,
    private readonly activities: ActivityService,
  ) {}

  @Cron(CronExpression.EVERY_MINUTE)
  @TrackedActivity({ type: 'database.upkeep', timeout: '30s' })
  async everyMinute(): Promise<void> {
    const activity = currentActivity();
    const pruned = await this.activities.prune();
    if (pruned.activities > 0) activity.log.info(`${grouped(pruned.activities)} old activities deleted`);

    const bytes = await this.#size();
    const rows = await this.#rows();
    const counts = Object.entries(rows).map(([table, count]) => `${grouped(count)} ${table}`);
    activity.log.info(`${grouped(bytes / 1024)} KB: ${counts.join(', ')}`);
    activity.metadata.merge({ bytes, rows });
  }

  async #size(): Promise<number> {
    const [size] = await this.dataSource.query<{ bytes: number }[]>(
      'SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size',
    );
    return size!.bytes;
  }

  async #rows(): Promise<Record<string, number>> {
    const tables = await this.dataSource.query<{ name: string }[]>(
      `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
    );
    const rows: Record<string, number> = {};
    for (const { name } of tables) {
      const [found] = await this.dataSource.query<{ count: number }[]>(`SELECT count(*) AS count FROM "${name}"`);
      rows[name] = found!.count;
    }
    return rows;
  }
}
