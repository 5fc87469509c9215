import { NotFoundException, type PipeTransform } from '@nestjs/common';
import { COMMANDS } from './commands.js';

/** Lets through the names of commands there are. */
export class CommandPipe implements PipeTransform<string, string> {
  /** @throws {NotFoundException} with the list. */
  transform(name: string): string {
    if (Object.hasOwn(COMMANDS, name)) return name;
    throw new NotFoundException(`There is no command "${name}". There are: ${Object.keys(COMMANDS).join(', ')}.`);
  }
}
