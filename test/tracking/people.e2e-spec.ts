import { Controller, Injectable, Post, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, ActivityService, TrackedActivity, currentActivity } from 'nestjs-activity';
import { ActivityAdminModule } from 'nestjs-activity/admin';
import { DataSource } from 'typeorm';
import { ask } from '../results/http-client.js';
import { describeEachAdapter } from '../support/adapters.js';
import { describeEachDatabase } from '../support/databases.js';

/** Takes the user from the database, as an application does whose ids are numbers. */
@Injectable()
class UserGuard implements CanActivate {
  constructor(private readonly dataSource: DataSource) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: object | null }>();
    const { as } = request.headers;
    if (as === undefined) request.user = null;
    else if (as.startsWith('text ')) request.user = { id: as.slice('text '.length) };
    else {
      const [user] = await this.dataSource.query<object[]>(`SELECT id, name FROM users WHERE id = ${Number(as)}`);
      request.user = user;
    }
    return true;
  }
}

@Controller('jobs')
@UseGuards(UserGuard)
class Jobs {
  @Post()
  @TrackedActivity({ type: 'job' })
  async job() {
    return { id: currentActivity().id };
  }
}

describeEachDatabase('[C91] the history of a person', (database) => {
  describeEachAdapter((adapter) => {
    it('outlives the account: no foreign key, the id as text, the name as it was; and is theirs by its text', async () => {
      const { options } = await database.create(import.meta.url);
      const { app, url } = await adapter.start({
        imports: [
          TypeOrmModule.forRoot(options),
          ActivityModule.forRoot({ statusRoute: { path: 'operations', guards: [UserGuard] } }),
          ActivityAdminModule.forRoot({ public: true }),
        ],
        controllers: [Jobs],
      });
      const dataSource = app.get(DataSource);
      await dataSource.query('CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(20))');
      await dataSource.query("INSERT INTO users (id, name) VALUES (7, 'Ada'), (70, 'Grace')");
      const job = async (as?: string) => {
        const { body } = await ask(`${url}/jobs`, { method: 'POST', headers: as === undefined ? {} : { as } });
        return (JSON.parse(body) as { id: string }).id;
      };
      const byNumber = await job('7');
      const byText = await job('text 7');
      const byGrace = await job('70');
      const byNobody = await job();

      await dataSource.query('DELETE FROM users WHERE id = 7');
      const runner = dataSource.createQueryRunner();
      const tables = await Promise.all(['activities', 'activity_messages'].map((name) => runner.getTable(name)));
      await runner.release();
      const references = tables.flatMap((table) => table!.foreignKeys.map((key) => key.referencedTableName));
      for (const table of references) expect(table).toMatch(/activities$/);

      const activities = app.get(ActivityService);
      expect((await activities.get(byNumber))?.actor).toEqual({ id: '7', name: 'Ada' });
      expect((await activities.get(byNobody))?.actor).toBeNull();
      const ids = async (actorId: string | null) => (await activities.list({ actorId })).items.map(({ id }) => id);
      expect(await ids('7')).toEqual([byText, byNumber]);
      expect(await ids('07')).toEqual([]);
      expect(await ids(null)).toEqual([byNobody]);
      const { body } = await ask(`${url}/admin/activities?actor=7`);
      expect((JSON.parse(body) as { items: { id: string }[] }).items.map(({ id }) => id)).toEqual([byText, byNumber]);

      const statusOf = async (id: string, as?: string) =>
        (await ask(`${url}/operations/${id}`, { headers: as === undefined ? {} : { as } })).status;
      expect(await statusOf(byNumber, 'text 7')).toBe(200);
      expect(await statusOf(byGrace, '70')).toBe(200);
      expect(await statusOf(byGrace, 'text 7')).toBe(404);
      expect(await statusOf(byNumber, '70')).toBe(404);
      expect(await statusOf(byNumber)).toBe(404);
      expect(await statusOf(byNobody, '70')).toBe(200);
    });
  });
});
