interface Relay {
  followers: Set<() => void>;
  stop: () => void;
}

/** One listener on a signal for all that follow it: a long-lived signal of the app may have thousands. */
const relays = new WeakMap<AbortSignal, Relay>();

/**
 * Calls `onAbort` when `signal` aborts, at once if it already has.
 * @returns a function that takes it away; with the last one goes the listener, so nothing of what has ended is kept.
 */
export function whenAborted(signal: AbortSignal, onAbort: () => void): () => void {
  if (signal.aborted) {
    onAbort();
    return () => undefined;
  }
  const relay = relays.get(signal) ?? listenTo(signal);
  // A function given twice is two followers, each taken away by its own.
  const follower = (): void => onAbort();
  relay.followers.add(follower);
  return () => {
    if (relay.followers.delete(follower) && relay.followers.size === 0) relay.stop();
  };
}

function listenTo(signal: AbortSignal): Relay {
  const followers = new Set<() => void>();
  const tell = (): void => {
    relays.delete(signal);
    for (const follower of followers) follower();
    followers.clear();
  };
  const stop = (): void => {
    relays.delete(signal);
    signal.removeEventListener('abort', tell);
  };
  signal.addEventListener('abort', tell, { once: true });
  const relay = { followers, stop };
  relays.set(signal, relay);
  return relay;
}
