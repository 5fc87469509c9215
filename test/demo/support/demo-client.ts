import type { Activity, ActivityMessage, ActivitySummary } from 'nestjs-activity';
import { until } from './until.js';

/** An activity as JSON has it. */
export type Sent<T> = { [K in keyof T]: T[K] extends Date | null ? string | null : T[K] };

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** Speaks to the demo as a browser would. */
export class DemoClient {
  constructor(private readonly url: string) {}

  async get<T>(path: string): Promise<Answer<T>> {
    return answerOf(await fetch(this.url + path));
  }

  async post<T>(path: string, body?: object, user = 'ada'): Promise<Answer<T>> {
    const form = body instanceof FormData;
    return answerOf(
      await fetch(this.url + path, {
        method: 'POST',
        headers: { 'x-user': user, ...(form ? {} : { 'content-type': 'application/json' }) },
        body: form ? body : JSON.stringify(body ?? {}),
      }),
    );
  }

  upload<T>(content: string | Blob, name = 'contacts.csv'): Promise<Answer<T>> {
    const form = new FormData();
    form.set('file', typeof content === 'string' ? new Blob([content]) : content, name);
    return this.post('/imports', form);
  }

  async activities(query: string): Promise<Sent<ActivitySummary>[]> {
    const { body } = await this.get<{ items: Sent<ActivitySummary>[] }>(`/admin/activities?${query}`);
    return body.items;
  }

  async activity(id: string): Promise<Sent<Activity>> {
    return (await this.get<Sent<Activity>>(`/admin/activities/${id}`)).body;
  }

  async messages(id: string): Promise<Sent<ActivityMessage>[]> {
    const { body } = await this.get<{ items: Sent<ActivityMessage>[] }>(`/admin/activities/${id}/messages?limit=1000`);
    return body.items;
  }

  /** The newest running activity of a type, once it is as far as `ready` asks. */
  running(
    type: string,
    ready: (activity: Sent<ActivitySummary>) => boolean = () => true,
  ): Promise<Sent<ActivitySummary>> {
    return until(`a running ${type}`, async () => {
      const [newest] = await this.activities(`status=running&type=${type}`);
      return newest && ready(newest) ? newest : undefined;
    });
  }

  cancel(id: string, reason: string, user = 'grace'): Promise<Answer<Sent<Activity>>> {
    return this.post(`/admin/activities/${id}/cancel`, { reason }, user);
  }
}

async function answerOf<T>(response: Response): Promise<Answer<T>> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
}
