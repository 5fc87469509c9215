import fc from 'fast-check';
import type { KnownOwner } from './owner-rows.js';
import { silenceAmong, STEADY_GAP } from './silent-owners.js';

const LEASE_MS = 30_000;
const NOW = 1_800_000_000_000;
const asking = { id: 'me', leaseMs: LEASE_MS, isFresh: true };

function owner(id: string, values: Partial<KnownOwner> & { silentForMs?: number } = {}): KnownOwner {
  const { silentForMs = 1_000, leaseMs = LEASE_MS, steadySinceMs = NOW - LEASE_MS, sweptAtMs = null } = values;
  const renewedAtMs = NOW - silentForMs;
  return {
    id,
    host: 'web-1',
    pid: 1,
    startedAt: new Date(0),
    renewedAt: new Date(renewedAtMs),
    expiresAt: new Date(renewedAtMs + leaseMs),
    renewedAtMs,
    leaseMs,
    steadySinceMs,
    sweptAtMs,
  };
}
const silentIds = (...owners: KnownOwner[]) => silenceAmong({ now: NOW, owners }, asking).silent.map(({ id }) => id);

describe('who is taken to be dead', () => {
  const dead = owner('other', { silentForMs: LEASE_MS });

  it('is who was silent for a lease, never the one that asks', () => {
    expect(silentIds(owner('me'), dead, owner('third', { silentForMs: LEASE_MS - 1 }))).toEqual(['other']);
    expect(silentIds(owner('me', { silentForMs: LEASE_MS }))).toEqual([]);
  });

  it('is nobody for one that was not heard all the time itself', () => {
    expect(silentIds(dead)).toEqual([]);
    expect(silentIds(owner('me', { steadySinceMs: NOW - LEASE_MS + 1 }), dead)).toEqual([]);
    expect(silentIds(owner('me', { silentForMs: LEASE_MS / 2 + 1 }), dead)).toEqual([]);
    expect(silentIds(owner('me', { silentForMs: -1 }), dead)).toEqual([]);
    const { silent } = silenceAmong({ now: NOW, owners: [owner('me'), dead] }, { ...asking, isFresh: false });
    expect(silent).toEqual([]);
  });

  it('is judged by the longer one of two leases', () => {
    const short = owner('other', { silentForMs: LEASE_MS - 1, leaseMs: 1_000 });
    const long = owner('other', { silentForMs: LEASE_MS, leaseMs: 2 * LEASE_MS });
    const longer = owner('other', { silentForMs: 2 * LEASE_MS, leaseMs: 2 * LEASE_MS });
    for (const one of [short, long, longer]) expect(silentIds(owner('me'), one)).toEqual([]);
    expect(silentIds(owner('me', { steadySinceMs: NOW - 2 * LEASE_MS }), longer)).toEqual(['other']);
  });

  it("is also who spoke last before the database's clock was set back", () => {
    expect(silentIds(owner('me'), owner('other', { silentForMs: -LEASE_MS / 3 }))).toEqual(['other']);
    expect(silentIds(owner('me'), owner('other', { silentForMs: 1 - LEASE_MS / 3 }))).toEqual([]);
  });

  it('is left to another that is ending its activities', () => {
    const look = (sweptAtMs: number) =>
      silenceAmong({ now: NOW, owners: [owner('me'), { ...dead, sweptAtMs }] }, asking);
    expect(look(NOW - 4_000)).toEqual({ silent: [], nextLookMs: 1_000 });
    expect(look(NOW - 5_000).silent).toHaveLength(1);
  });

  it('may be known at the time that is said', () => {
    const nextLook = (...owners: KnownOwner[]) => silenceAmong({ now: NOW, owners }, asking).nextLookMs;
    expect(nextLook(owner('me'))).toBe(Infinity);
    expect(nextLook(owner('me'), owner('a', { silentForMs: 9_000 }), owner('b'))).toBe(21_000);
    expect(nextLook(owner('me', { steadySinceMs: NOW - 5_000 }), dead)).toBe(25_000);
  });

  it('is no living process, however often the database is away, and soon every dead one', () => {
    const outage = fc.record({
      pause: fc.integer({ min: 0, max: 90_000 }),
      away: fc.integer({ min: 0, max: 120_000 }),
    });
    const jump = fc.record({ at: fc.integer({ min: 0, max: 400_000 }), by: fc.integer({ min: -90_000, max: 90_000 }) });
    fc.assert(
      fc.property(
        fc.array(outage, { maxLength: 6 }),
        fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 2, maxLength: 4 }),
        fc.option(jump, { nil: undefined }),
        fc.integer({ min: 0, max: 400_000 }),
        (outages, phases, clock, deathAt) => {
          const { judgedLiving, noticedAfterMs } = simulate({ outages, phases, clock, deathAt });
          expect(judgedLiving).toEqual([]);
          expect(noticedAfterMs).toBeLessThanOrEqual(3 * LEASE_MS);
        },
      ),
      { numRuns: 200 },
    );
  });
});

interface Scene {
  outages: { pause: number; away: number }[];
  /** When each process says its first word. */
  phases: number[];
  /** The database's clock is set, once. */
  clock?: { at: number; by: number };
  /** Of the first process. */
  deathAt: number;
}

/** Processes that renew as `LeaseKeeper` and look after each other all the time, on a database that comes and goes. */
function simulate({ outages, phases, clock, deathAt }: Scene) {
  const STEP_MS = 200;
  const spans: [number, number][] = [];
  let end = 0;
  for (const { pause, away } of outages) {
    spans.push([end + pause, end + pause + away]);
    end += pause + away;
  }
  const isAway = (at: number) => spans.some(([from, to]) => at >= from && at < to);
  const timeAt = (at: number) => NOW + at + (clock && at >= clock.at ? clock.by : 0);
  const rows = new Map<string, KnownOwner>();
  const dueAt = [...phases];
  const heardAt: number[] = [];
  const isFresh = (place: number, at: number) => at - (heardAt[place] ?? -Infinity) <= LEASE_MS * STEADY_GAP;
  const judgedLiving: string[] = [];
  // From here on nothing happens any more that would have to be sat out.
  const quietFrom = Math.max(end, deathAt, clock?.at ?? 0, ...phases);
  for (let at = 0; at < quietFrom + 4 * LEASE_MS; at += STEP_MS) {
    if (isAway(at)) {
      for (const [place, due] of dueAt.entries()) if (at >= due) dueAt[place] = at + LEASE_MS / 30;
      continue;
    }
    const now = timeAt(at);
    for (const [place, due] of dueAt.entries()) {
      if (at < due || (place === 0 && at >= deathAt)) continue;
      const before = rows.get(`p${place}`);
      const silentForMs = before ? now - before.renewedAtMs : 0;
      const isSteady = before && silentForMs >= 0 && silentForMs <= LEASE_MS * STEADY_GAP && isFresh(place, at);
      const steadySinceMs = isSteady ? before.steadySinceMs : now;
      rows.set(`p${place}`, {
        ...owner(`p${place}`, { steadySinceMs }),
        renewedAtMs: now,
      });
      dueAt[place] = at + LEASE_MS / 3;
      heardAt[place] = at;
    }
    for (const place of phases.keys()) {
      if (place === 0 && at >= deathAt) continue;
      const id = `p${place}`;
      const looks = { id, leaseMs: LEASE_MS, isFresh: isFresh(place, at) };
      const { silent } = silenceAmong({ now, owners: [...rows.values()] }, looks);
      for (const other of silent) {
        if (other.id !== 'p0' || at < deathAt) judgedLiving.push(`${other.id} by ${id} at ${at}`);
        else return { judgedLiving, noticedAfterMs: Math.max(0, at - quietFrom) };
      }
    }
  }
  return { judgedLiving, noticedAfterMs: rows.has('p0') ? Infinity : 0 };
}
