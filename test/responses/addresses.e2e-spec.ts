import { RequestMethod, VersioningType, type INestApplication } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityAddresses, ActivityModule, ActivityService } from 'nestjs-activity';
import { ActivityAdminModule } from 'nestjs-activity/admin';
import { describeEachAdapter } from '../support/adapters.js';

describeEachAdapter('the address of an activity', (adapter) => {
  const imports = () => [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
    ActivityModule.forRoot(),
    ActivityAdminModule.forRoot({ path: 'ops/activities', public: true }),
  ];

  it.each<[string, (app: INestApplication) => unknown, string]>([
    ['as the controller says', () => undefined, '/ops/activities'],
    ['below a global prefix', (app) => app.setGlobalPrefix('/api/v9/'), '/api/v9/ops/activities'],
    [
      'outside of a prefix that excludes it',
      (app) => app.setGlobalPrefix('api', { exclude: [{ path: 'ops/activities/*rest', method: RequestMethod.GET }] }),
      '/ops/activities',
    ],
    [
      'without the version of the other routes',
      (app) => app.enableVersioning({ type: VersioningType.URI, defaultVersion: '2' }),
      '/ops/activities',
    ],
  ])('is where the admin API answers: %s', async (_how, configure, path) => {
    const { app, url } = await adapter.start({ imports: imports() }, { configure: (made) => void configure(made) });
    const id = await app.get(ActivityService).run({ type: 'found' }, (activity) => activity.id);
    const address = app.get(ActivityAddresses).of(id);
    expect(address).toBe(`${path}/${id}`);
    expect(await (await fetch(url + address)).json()).toMatchObject({ id, type: 'found' });
  });

  it('is unknown where nothing serves one', async () => {
    const { app } = await adapter.start({ imports: imports().slice(0, 2) });
    expect(app.get(ActivityAddresses).of('01a211db-0000-7000-8000-000000000000')).toBeUndefined();
  });
});
