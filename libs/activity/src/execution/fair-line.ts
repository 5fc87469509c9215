import {
  byTurn,
  nextTurn,
  NO_TURNS,
  placeInLine,
  turnOfComer,
  type Turns,
  type WaitingScope,
} from '../model/scope-turns.js';

interface ScopeQueue<T> {
  turn: number;
  /** With their places, oldest first. */
  waiting: Map<T, number>;
}

/** Who waits for one thing: scopes take turns, and within one it is first come first served. */
export class FairLine<T> {
  readonly #queues = new Map<string, ScopeQueue<T>>();
  readonly #scopes = new Map<T, string>();
  #turns: Turns = NO_TURNS;
  #arrivals = 0;

  get size(): number {
    return this.#scopes.size;
  }

  push(item: T, scope: string): void {
    if (this.#queues.size === 0) this.#turns = NO_TURNS;
    const queue = this.#queues.get(scope) ?? { turn: turnOfComer(scope, this.#turns), waiting: new Map<T, number>() };
    queue.waiting.set(item, ++this.#arrivals);
    this.#queues.set(scope, queue);
    this.#scopes.set(item, scope);
  }

  /** @returns whether it was there. */
  delete(item: T): boolean {
    const scope = this.#scopes.get(item);
    if (scope === undefined) return false;
    this.#scopes.delete(item);
    const { waiting } = this.#queues.get(scope)!;
    waiting.delete(item);
    if (waiting.size === 0) this.#queues.delete(scope);
    return true;
  }

  /** Whose turn it is leaves the line. */
  shift(): T | undefined {
    const [next] = this.#waitingScopes().toSorted(byTurn);
    if (!next) return undefined;
    const queue = this.#queues.get(next.scope)!;
    const item = queue.waiting.keys().next().value!;
    this.#turns = nextTurn(this.#turns, next.scope);
    queue.turn = this.#turns.served;
    this.delete(item);
    return item;
  }

  /** 1 for the next one; 0 for one that is not in line. */
  position(item: T): number {
    const scope = this.#scopes.get(item);
    if (scope === undefined) return 0;
    const rank = [...this.#queues.get(scope)!.waiting.keys()].indexOf(item) + 1;
    return placeInLine(this.#waitingScopes(), scope, rank);
  }

  #waitingScopes(): WaitingScope[] {
    return [...this.#queues].map(([scope, { turn, waiting }]) => ({
      scope,
      turn,
      head: waiting.values().next().value!,
      count: waiting.size,
    }));
  }
}
