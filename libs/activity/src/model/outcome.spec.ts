import {
  ActivityCancelledError,
  ActivityDeadlineError,
  ActivityParentCancelledError,
  ActivityShutdownError,
  cancelledByUser,
} from './cancellation.js';
import { outcomeOf, type EndSignals } from './outcome.js';
import { ABORT_REASONS, type AbortReason } from './reasons.js';

const id = '0198a1b2-0000-7000-8000-000000000001';

function abortedBy(reason: AbortReason): AbortSignal {
  return AbortSignal.abort(new ActivityCancelledError(reason, id));
}

const never = new AbortController().signal;

function ended(signal: AbortSignal, shutdown = never): EndSignals {
  return { signal, shutdown };
}

describe('the outcome', () => {
  it('[F13] [F14] follows from who aborted, for each reason of the closed list', () => {
    const outcomes = Object.fromEntries(
      ABORT_REASONS.map((reason) => [
        reason,
        outcomeOf({ ok: false, error: new Error('x') }, ended(abortedBy(reason))).status,
      ]),
    );
    expect(outcomes).toEqual({
      deadline: 'failed',
      user: 'cancelled',
      parent: 'cancelled',
      superseded: 'cancelled',
      client_disconnected: 'cancelled',
      forced: 'cancelled',
      shutdown: 'interrupted',
      owner_lost: 'interrupted',
    });
  });

  it('is a success after a normal return, also after a cancel', () => {
    expect(outcomeOf({ ok: true, value: 1 }, ended(abortedBy('user')))).toEqual({ status: 'succeeded', reason: null });
  });

  it('is a failure for an AbortError of anything but the own signal', () => {
    const error = new DOMException('timed out', 'AbortError');
    expect(outcomeOf({ ok: false, error }, ended(never))).toEqual({
      status: 'failed',
      reason: 'error',
    });
    expect(outcomeOf({ ok: false, error }, ended(AbortSignal.abort()))).toEqual({ status: 'failed', reason: 'error' });
  });

  it('is interrupted for work that ends with what it was told of the shutdown, and for nothing else [F15]', () => {
    const error = new ActivityShutdownError(id);
    const told = ended(never, AbortSignal.abort(error));
    const interrupted = { status: 'interrupted', reason: 'shutdown' };
    expect(outcomeOf({ ok: false, error }, told)).toEqual(interrupted);
    const ofParent = new ActivityParentCancelledError(id, error);
    expect(outcomeOf({ ok: false, error: ofParent }, told)).toEqual(interrupted);
    expect(outcomeOf({ ok: false, error }, told, { shutdown: 'cancelled' })).toMatchObject({ status: 'cancelled' });
    const failed = { status: 'failed', reason: 'error' };
    expect(outcomeOf({ ok: false, error: new Error('disk full') }, told)).toEqual(failed);
    expect(outcomeOf({ ok: false, error }, ended(never))).toEqual(failed);
    expect(outcomeOf({ ok: false, error }, ended(abortedBy('user'), told.shutdown))).toMatchObject({ reason: 'user' });
  });

  it('tells a user from a deadline by the signal alone', () => {
    expect(cancelledByUser(abortedBy('user'))).toBe(true);
    expect(cancelledByUser(AbortSignal.abort(new ActivityDeadlineError(id, 5)))).toBe(false);
    expect(cancelledByUser(AbortSignal.abort('user'))).toBe(false);
  });
});
