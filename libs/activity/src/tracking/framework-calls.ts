import 'reflect-metadata';

/** Metadata that Nest's own packages leave on methods that they call, and what such a call is named as an origin. */
const ON_METHODS: readonly (readonly [RegExp, string])[] = [
  [/^(path|method|__sse__)$/, 'http'],
  [/^(message$|websockets:)/, 'ws'],
  [/^microservices:/, 'rpc'],
  [/^graphql:/, 'graphql'],
  [/^SCHEDULE/, 'schedule'],
  [/^EVENT_LISTENER/, 'event'],
  [/^bull/, 'job'],
];

/** The same for classes of which one method is called. */
const ON_CLASSES: Record<string, { method: string; kind: string }> = {
  __commandHandler__: { method: 'execute', kind: 'command' },
  __queryHandler__: { method: 'execute', kind: 'query' },
  __eventsHandler__: { method: 'handle', kind: 'event' },
  'CommandBuilder:Command:Meta': { method: 'run', kind: 'cli' },
  'CommandBuilder:Subcommand:Meta': { method: 'run', kind: 'cli' },
  'CommandBuilder:RootCommand:Meta': { method: 'run', kind: 'cli' },
};

/**
 * Which framework calls a method, undefined if none does. One that does awaits what the method gives, or wants no value.
 * @param method the function in the class, with what all decorators have left on it.
 */
export function frameworkCallOf(prototype: object, key: string | symbol, method: unknown): string | undefined {
  if (typeof method !== 'function') return undefined;
  for (const found of Reflect.getMetadataKeys(method)) {
    const kind = ON_METHODS.find(([name]) => name.test(String(found)))?.[1];
    if (kind !== undefined) return kind;
  }
  for (const found of Reflect.getMetadataKeys(prototype.constructor)) {
    const known = ON_CLASSES[String(found)];
    if (known?.method === key) return known.kind;
  }
  return undefined;
}
