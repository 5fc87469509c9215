import type { Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

/**
 * Nest calls the hooks of the start in the order of the modules' distance from the root, the farthest first and global ones
 * before all (`Number.MAX_VALUE`), and those of the end the other way round; modules of one distance as they were found.
 * So that the order does not follow from the app's imports, `first` is put before all others at the start, and thereby
 * after all others at the end, and `last` the other way round. To be called before `init()`, by a constructor.
 */
export function placeFirstAndLast(
  modules: ModulesContainer,
  { first, last }: { first: Type<unknown>; last: Type<unknown> },
): void {
  for (const module of modules.values()) {
    if (module.metatype === first) module.distance = Infinity;
    if (module.metatype === last) module.distance = -Infinity;
  }
}
