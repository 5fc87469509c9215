import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';

const isWindows = process.platform === 'win32';

/** For `spawn`: the child leads a group of its own, so that what it starts can be ended with it. */
export const groupOptions = { detached: !isWindows, windowsHide: true } satisfies SpawnOptions;

/** A child process with all that it has started: npm, for one, does its work in a child of its own. */
export class ProcessGroup {
  constructor(private readonly child: ChildProcess) {}

  /** Asks all to end (SIGTERM); what is left after `graceMs` is ended (SIGKILL). Returns at once. */
  end(graceMs: number): void {
    this.#signal('SIGTERM');
    const kill = setTimeout(() => this.#signal('SIGKILL'), graceMs);
    this.child.once('close', () => clearTimeout(kill));
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    if (isWindows) {
      const force = signal === 'SIGKILL' ? ['/F'] : [];
      spawn('taskkill', ['/PID', String(pid), '/T', ...force], { stdio: 'ignore' }).on('error', () => undefined);
      return;
    }
    try {
      process.kill(-pid, signal);
    } catch {
      // All have ended already.
    }
  }
}
