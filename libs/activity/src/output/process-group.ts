import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

/** How often it is looked whether a group that was asked to end has. */
const POLL_MS = 25;
/** How long what was killed may take to be gone: an orphan that nobody reaps stays in the table of processes for ever. */
const REAP_MS = 500;

/** Windows has no groups of processes: there `taskkill` ends a process with all that it has started. */
export const hasGroups = process.platform !== 'win32';

const running = new Set<ProcessGroup>();

/**
 * A child process that leads a group of its own (`detached`), with all that it has started and that has not left the
 * group. While it runs, an end of this process by `process.exit()` asks it to end, too.
 */
export class ProcessGroup {
  #isGone = false;

  constructor(private readonly child: ChildProcess) {
    if (running.size === 0) process.on('exit', endAll);
    running.add(this);
  }

  /** Asks all to end (SIGTERM), and kills what is left after `graceMs`. Resolves when none is left. */
  async end(graceMs: number): Promise<void> {
    this.signal('SIGTERM');
    await this.#whenGone(graceMs);
    if (this.#isGone) return;
    this.signal('SIGKILL');
    await this.#whenGone(REAP_MS);
  }

  /** Never throws: all may have ended already. */
  signal(signal: NodeJS.Signals | 0): void {
    const { pid } = this.child;
    // Once it is empty, its number may be given to another group.
    if (pid === undefined || this.#isGone) return;
    if (!hasGroups) {
      this.#isGone = this.child.exitCode !== null || this.child.signalCode !== null;
      if (!this.#isGone && signal !== 0) endTree(pid, { force: signal === 'SIGKILL' });
      return;
    }
    try {
      process.kill(-pid, signal);
    } catch {
      this.#isGone = true;
    }
  }

  /** The command is over: what it has left behind on purpose goes on. */
  release(): void {
    running.delete(this);
    if (running.size === 0) process.off('exit', endAll);
  }

  async #whenGone(timeoutMs: number): Promise<void> {
    const giveUpAt = performance.now() + timeoutMs;
    for (;;) {
      this.signal(0);
      const left = giveUpAt - performance.now();
      if (this.#isGone || left <= 0) return;
      await delay(Math.min(POLL_MS, left));
    }
  }
}

function endTree(pid: number, { force }: { force: boolean }): void {
  const how = force ? ['/F'] : [];
  spawn('taskkill', ['/PID', String(pid), '/T', ...how], { stdio: 'ignore' }).on('error', () => undefined);
}

function endAll(): void {
  for (const group of running) group.signal('SIGTERM');
}
