import { Inject, Optional } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import 'reflect-metadata';
import { ActivityRunner } from '../execution/activity-runner.js';

// The descriptions stand in Nest's own error where an injection fails, so they say what to do.
const RUNNER = Symbol('the activity tracker (import ActivityModule.forRoot() in the root module)');
const MODULE_REF = Symbol('ModuleRef (for @TrackedActivity)');

/**
 * What was injected into an instance, or handed to one that Nest did not construct. Kept beside the instances, not in
 * them: a frozen one can have it, and nothing shows where one is compared or printed. Weak, so that two apps in one
 * process share nothing else.
 */
const runners = new WeakMap<object, ActivityRunner>();
const moduleRefs = new WeakMap<object, ModuleRef>();

/** Asks Nest to inject the runner into each instance of the class; once a class, however many methods are tracked. */
export function injectRunner(prototype: object): void {
  if (Object.hasOwn(prototype, RUNNER)) return;
  injectInto(prototype, RUNNER, { token: ActivityRunner, kept: runners });
  injectInto(prototype, MODULE_REF, { token: ModuleRef, kept: moduleRefs });
}

/** Gives an instance that Nest did not construct (`useFactory`, `useValue`) its runner. */
export function handOverRunner(instance: object, runner: ActivityRunner): void {
  if (!runners.has(instance)) runners.set(instance, runner);
}

/** The runner of an instance, undefined where there is none: then the method runs untracked. */
export function runnerOf(instance: unknown): ActivityRunner | undefined {
  return typeof instance === 'object' && instance !== null ? runners.get(instance) : undefined;
}

/** True for an instance that Nest has constructed in an application without the tracker. */
export function isMadeByNest(instance: object): boolean {
  return moduleRefs.has(instance);
}

function injectInto<T extends object>(
  prototype: object,
  key: symbol,
  { token, kept }: { token: abstract new (...args: never[]) => T; kept: WeakMap<object, T> },
): void {
  Object.defineProperty(prototype, key, {
    get(this: object) {
      return kept.get(this);
    },
    set(this: object, value: T) {
      kept.set(this, value);
    },
  });
  Inject(token)(prototype, key);
  Optional()(prototype, key);
}
