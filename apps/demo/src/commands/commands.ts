import { fileURLToPath } from 'node:url';

export interface Command {
  /** As people write it. */
  line: string;
  /** A program and its arguments, started without a shell. */
  program: string;
  args: readonly string[];
}

/** npm as it stands behind `npm start`, where it says so: by name it is a script that Windows needs a shell for. */
const npm = process.env.npm_execpath;

/** What may be run. Nothing of it comes from a request but the name. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  'npm-ls': {
    line: 'npm ls --all',
    ...(npm ? { program: process.execPath, args: [npm, 'ls', '--all'] } : { program: 'npm', args: ['ls', '--all'] }),
  },
  'git-log': { line: 'git log', program: 'git', args: ['--no-pager', 'log'] },
  chatter: {
    line: 'node chatter.js',
    program: process.execPath,
    args: [fileURLToPath(new URL('./chatter.js', import.meta.url))],
  },
};
