import { RequestMethod, VERSION_NEUTRAL } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
// As `@nestjs/swagger` does it: the one place that knows what prefix and versioning make of a path.
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';

/**
 * Knows where an activity can be looked at over HTTP. Who serves one at `GET path/:id` says so; who wants to point to one
 * asks. So answers can have a link without knowing of the admin API, which is optional.
 */
export class ActivityAddresses {
  readonly #paths: string[] = [];
  readonly #factory: RoutePathFactory;

  constructor(private readonly config: ApplicationConfig) {
    this.#factory = new RoutePathFactory(config);
  }

  /**
   * Says that `GET path/:id` shows the activity.
   * @param path  as a controller has it: below the global prefix, without a version.
   * @param options.first  it is preferred to those that have been told before. Default false.
   */
  serve(path: string, { first = false }: { first?: boolean } = {}): void {
    if (first) this.#paths.unshift(path);
    else this.#paths.push(path);
  }

  get isKnown(): boolean {
    return this.#paths.length > 0;
  }

  /** Path and id, such as `/api/admin/activities/01a2…`; undefined where nothing serves one. */
  of(id: string): string | undefined {
    const [path] = this.#paths;
    if (path === undefined) return undefined;
    const prefix = this.config.getGlobalPrefix();
    const route = {
      ctrlPath: path,
      methodPath: ':id',
      controllerVersion: VERSION_NEUTRAL,
      globalPrefix: prefix === '' ? '' : `/${prefix.replaceAll(/^\/+|\/+$/g, '')}`,
      versioningOptions: this.config.getVersioning(),
    } as const;
    return this.#factory.create(route, RequestMethod.GET)[0]!.replace(':id', id);
  }
}
