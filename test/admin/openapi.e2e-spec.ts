import { readFile } from 'node:fs/promises';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { ActivityAdminModule } from 'nestjs-activity/admin';
import { describeEachAdapter } from '../support/adapters.js';
import { adminApp, ended, failed, running, type AdminApp } from './admin-app.js';

type Schema = { properties: Record<string, Schema>; required: string[]; items: Schema };
interface Operation {
  tags: string[];
  summary: string;
  parameters: { name: string; in: string; required: boolean; description?: string; schema: object }[];
  responses: Record<string, { content: Record<string, { schema: Schema }> }>;
  requestBody?: unknown;
}

const BASE = '/admin/activities';
const FILTERS = ['status', 'type', 'scope', 'resourceType', 'resourceId', 'actor', 'batch', 'parent', 'from', 'to'];

describeEachAdapter('the OpenAPI document of the admin API', (adapter) => {
  let admin: AdminApp;
  let document: OpenAPIObject;
  const operation = (method: 'get' | 'post' | 'delete', path: string) =>
    document.paths[BASE + path]?.[method] as unknown as Operation;
  const answerSchema = (of: Operation, status: number) => of.responses[status]!.content['application/json']!.schema;

  beforeAll(async () => {
    admin = await adminApp(adapter, { imports: [ActivityAdminModule.forRoot({ path: 'ops', public: true })] });
    document = SwaggerModule.createDocument(admin.app, new DocumentBuilder().build());
  });

  it('lists every route, of every path it was given', () => {
    const routes = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    );
    const expected = ['get ', 'delete ', 'get /{id}', 'get /{id}/messages', 'post /{id}/cancel'];
    const at = (base: string) => expected.map((route) => route.replace(' ', ` ${base}`));
    expect(routes.toSorted()).toEqual([...at(BASE), ...at('/ops')].toSorted());
  });

  it.each([
    ['get', '', [200, 400, 401, 403, 500]],
    ['delete', '', [200, 400, 401, 403, 500]],
    ['get', '/{id}', [200, 401, 403, 404, 500]],
    ['get', '/{id}/messages', [200, 400, 401, 403, 404, 500]],
    ['post', '/{id}/cancel', [200, 202, 400, 401, 403, 404, 409, 415, 500]],
  ] as const)('tells all answers of %s %s, errors as problems', (method, path, statuses) => {
    const { tags, summary, responses } = operation(method, path);
    expect(tags).toEqual(['activities']);
    expect(summary).toBeTruthy();
    expect(Object.keys(responses).map(Number)).toEqual(statuses);
    for (const status of statuses) {
      const type = status < 300 ? 'application/json' : 'application/problem+json';
      expect(responses[status]!.content[type]!.schema.properties).toBeDefined();
    }
  });

  it('tells all parameters, once each, with what they mean', () => {
    const names = (of: Operation) => of.parameters.map(({ name }) => name);
    expect(names(operation('get', ''))).toEqual([...FILTERS, 'search', 'sort', 'limit', 'cursor']);
    expect(names(operation('delete', ''))).toEqual([...FILTERS, 'all']);
    expect(names(operation('get', '/{id}'))).toEqual(['id']);
    expect(names(operation('get', '/{id}/messages'))).toEqual(['id', 'after', 'limit', 'level']);
    expect(names(operation('post', '/{id}/cancel'))).toEqual(['id']);
    expect(operation('post', '/{id}/cancel').requestBody).toMatchObject({ required: false });
    expect(operation('get', '').parameters.find(({ name }) => name === 'limit')).toMatchObject({
      in: 'query',
      required: false,
      description: 'How many at most.',
      schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
    });
    for (const { in: place, description } of operation('get', '').parameters) {
      expect([place, typeof description]).toEqual(['query', 'string']);
    }
  });

  it('has no route, parameter or status that docs/reference/admin-api.md does not tell of', async () => {
    const page = await readFile(new URL('../../docs/reference/admin-api.md', import.meta.url), 'utf8');
    const ours = Object.entries(document.paths).filter(([path]) => path.startsWith(BASE));
    expect(ours).toHaveLength(4);
    for (const [path, item] of ours) {
      for (const [method, route] of Object.entries(item as Record<string, Operation>)) {
        expect(page).toContain(`\`${method.toUpperCase()} ${path.slice(BASE.length).replace('{id}', ':id') || '/'}\``);
        for (const { name } of route.parameters) expect(page).toMatch(new RegExp(`[\`:]${name}[\`=/]`));
        for (const status of Object.keys(route.responses)) expect(page).toMatch(new RegExp(`\`${status}`));
      }
    }
  });

  it('tells every property that an answer has', async () => {
    const { activities, http } = admin;
    const done = await activities.run({ type: 'done', keepResult: true }, ({ id, log, step }) => {
      log.info('line');
      step('one', { total: 1 });
      return id;
    });
    const broken = await failed(activities, { type: 'bad', actor: 'ada' }, new Error('x', { cause: new Error('y') }));
    const long = await running(activities, { type: 'long', resource: { type: 'r', id: '1' } });
    for (let n = 0; n < 5; n++) await ended(activities, { type: 'done' });

    expectDescribed((await http.get(BASE)).body, answerSchema(operation('get', ''), 200));
    for (const id of [done, broken, long]) {
      expectDescribed((await http.get(`${BASE}/${id}`)).body, answerSchema(operation('get', '/{id}'), 200));
    }
    const messages = await http.get(`${BASE}/${done}/messages`);
    expectDescribed(messages.body, answerSchema(operation('get', '/{id}/messages'), 200));
    const cancelled = await http.post(`${BASE}/${long}/cancel`);
    expectDescribed(cancelled.body, answerSchema(operation('post', '/{id}/cancel'), 202));
    const late = await http.post(`${BASE}/${done}/cancel`).expect(409);
    const problem = operation('post', '/{id}/cancel').responses[409]!.content['application/problem+json']!.schema;
    expectDescribed(late.body, problem);
    const cleared = await http.delete(`${BASE}?type=none`);
    expectDescribed(cleared.body, answerSchema(operation('delete', ''), 200));
  });
});

/** Each property is described, and each required one is there, all the way down. */
function expectDescribed(value: unknown, schema: Schema): void {
  if (Array.isArray(value)) for (const item of value) expectDescribed(item, schema.items);
  else if (typeof value === 'object' && value !== null && schema.properties) {
    expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(Object.keys(value)));
    expect(Object.keys(value)).toEqual(expect.arrayContaining(schema.required));
    for (const [name, property] of Object.entries(value)) expectDescribed(property, schema.properties[name]!);
  }
}
