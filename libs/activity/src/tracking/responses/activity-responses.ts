import { Inject, Injectable, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { respondSettings, type RespondSettings } from '../../config/respond.options.js';
import { ActivityAddresses } from '../activity-addresses.js';
import type { HttpExchange } from '../http-exchange.js';
import { headerOf } from '../origin.js';
import type { TrackedMethod } from '../tracked-methods.js';
import { AcceptedResponder } from './accepted-responder.js';
import { chooseResponse } from './choose-response.js';
import type { Responder } from './responder.js';
import { StreamResponder } from './stream-responder.js';
import type { FrameworkResponse } from './taken-response.js';
import { SeenDurations } from './seen-durations.js';

/** The call over HTTP that is to be answered. */
export interface HttpCall {
  request: unknown;
  /** As Nest hands it to interceptors. */
  response: unknown;
  exchange: HttpExchange;
}

/** Decides for each call how it is answered, by the option `respond` of its handler and the wish of its caller. */
@Injectable()
export class ActivityResponses {
  readonly #settings = new WeakMap<TrackedMethod, RespondSettings | undefined>();

  constructor(
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(ActivityAddresses) private readonly addresses: ActivityAddresses,
    @Inject(SeenDurations) private readonly durations: SeenDurations,
  ) {}

  /** Undefined where the answer is simply the result. */
  responderFor(method: TrackedMethod, { request, response, exchange }: HttpCall): Responder | undefined {
    if (method.options.respond === undefined) return undefined;
    if (!this.#settings.has(method)) this.#settings.set(method, respondSettings(method.options.respond));
    const settings = this.#settings.get(method);
    if (!settings) return undefined;
    const {
      mode,
      waitMs = 0,
      applied,
    } = chooseResponse(settings, {
      prefer: headerOf(request, 'prefer'),
      accept: headerOf(request, 'accept'),
    });
    const { modes } = settings;
    if (modes.has('accepted') && modes.size > 1) exchange.addVary('Prefer');
    if (modes.has('stream') && modes.size > 1) exchange.addVary('Accept');
    if (applied !== undefined) exchange.setHeader('Preference-Applied', applied);
    const { addresses, durations } = this;
    switch (mode) {
      case 'accepted':
        return new AcceptedResponder({ exchange, addresses, durations, origin: originOf(request), waitMs });
      case 'stream':
        return new StreamResponder({
          exchange,
          addresses,
          adapter: this.adapterHost.httpAdapter,
          response: response as FrameworkResponse,
        });
      default:
        return undefined;
    }
  }

  /** At start. @param accepting handlers that may answer 202: they should have a place to point to. */
  ready(accepting: readonly string[]): void {
    if (accepting.length === 0) return;
    this.durations.listen();
    if (this.addresses.isKnown) return;
    new Logger('Activity').warn(
      `${accepting.join(', ')} may answer 202, but nothing shows an activity over HTTP, so the answer has no Location. Add ` +
        "`statusRoute: 'operations'` to ActivityModule.forRoot(), or ActivityAdminModule.",
    );
  }
}

/** As the client has called it: both frameworks look at `X-Forwarded-…` where the app trusts its proxy. */
function originOf(request: unknown): string | undefined {
  const { protocol, host } = request as { protocol?: unknown; host?: unknown };
  if (typeof protocol !== 'string' || typeof host !== 'string' || host === '') return undefined;
  const url = URL.canParse(`${protocol}://${host}`) ? new URL(`${protocol}://${host}`) : undefined;
  // A Host header may hold anything; what is no plain host is nobody's address.
  return url && url.pathname === '/' && url.search === '' && url.username === '' ? url.origin : undefined;
}
