import { UseInterceptors, type NestInterceptor, type Type } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import 'reflect-metadata';
import { trackedMethodsOf } from './tracked-methods.js';

const PATTERN = 'microservices:pattern';

/** Handlers that have the interceptor: two applications of one process may share a class. */
const intercepted = new WeakSet<object>();

/**
 * Gives each tracked message handler the interceptor once more, as one of its own. A hybrid application does not use its
 * global interceptors for messages unless `inheritAppConfig` says so, and the activity would not know its call.
 * To be called before `connectMicroservice()`, which reads the handlers' interceptors at once.
 */
export function interceptMessageHandlers(discovery: DiscoveryService, interceptor: NestInterceptor): void {
  for (const { metatype } of discovery.getControllers()) {
    const prototype = (metatype as Type | null)?.prototype as Record<string | symbol, unknown> | undefined;
    if (!prototype) continue;
    for (const { key } of trackedMethodsOf(prototype)) {
      const handler = prototype[key];
      if (typeof handler !== 'function' || intercepted.has(handler) || !Reflect.hasMetadata(PATTERN, handler)) continue;
      intercepted.add(handler);
      UseInterceptors(interceptor)(prototype, key, { value: handler });
    }
  }
}
