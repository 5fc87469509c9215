import { describe, expect, it } from '@jest/globals';
import { parseStored, storableError, storableJson } from './storable-json.js';

const stored = (value: unknown, maxBytes = 10_000): unknown => JSON.parse(storableJson(value, maxBytes));

describe('JSON that is stored', () => {
  it('is what JSON makes of a value', () => {
    const value = {
      a: [1, 'x', null, true, { b: [] }],
      at: new Date(0),
      none: undefined,
      fn: () => 1,
      hole: [undefined],
    };
    expect(stored(value)).toEqual(JSON.parse(JSON.stringify(value)));
    expect([undefined, null, 0, '', Symbol('s'), () => 1].map((one) => stored(one))).toEqual([
      null,
      null,
      0,
      '',
      null,
      null,
    ]);
  });

  it('never throws: cycles, getters that throw, BigInt and great depth become notes', () => {
    const cycle: { self?: unknown[] } = {};
    cycle.self = [cycle];
    const deep: unknown = Array.from({ length: 10_000 }).reduce((inner) => [inner], 'x');
    const trap = {
      get bad(): never {
        throw new Error('no');
      },
      toJSON: undefined,
    };
    expect(stored(cycle)).toEqual({ self: ['[circular]'] });
    expect(JSON.stringify(stored(deep))).toContain('[deeper than 32 levels]');
    expect(stored(trap)).toEqual({ bad: '[unreadable]' });
    expect(stored({ n: 10n, same: [cycle, cycle] })).toMatchObject({ n: '10' });
    const hostile = {
      toJSON: () => {
        throw new Error('no');
      },
    };
    expect(stored(hostile)).toEqual({ unstorable: 'JSON cannot hold this value' });
  });

  it('has keys such as __proto__ as plain data', () => {
    const text = '{"__proto__":{"p":1},"constructor":{"prototype":{"p":2}}}';
    expect(storableJson(JSON.parse(text), 1_000)).toBe(text);
    expect(({} as { p?: unknown }).p).toBeUndefined();
  });

  it('says so in place of what is too large, and finds it out early', () => {
    const started = performance.now();
    expect(stored({ text: 'x'.repeat(50_000_000) }, 100)).toEqual({ truncated: 'more than 100 bytes of JSON' });
    expect(stored(Array(10_000_000).fill(1), 100)).toEqual({ truncated: 'more than 100 bytes of JSON' });
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(stored({ text: 'é'.repeat(60) }, 100)).toEqual({ truncated: 'more than 100 bytes of JSON' });
  });

  it('has of bytes their count, wherever they lie', () => {
    const bytes = new Uint8Array(8_000_000);
    expect(stored(bytes)).toBe('[8,000,000 bytes]');
    const all = [
      Buffer.from('abc'),
      bytes.buffer,
      new DataView(bytes.buffer, 5),
      new Float64Array(2),
      new SharedArrayBuffer(1),
    ];
    expect(stored({ all })).toEqual({
      all: ['[3 bytes]', '[8,000,000 bytes]', '[7,999,995 bytes]', '[16 bytes]', '[1 bytes]'],
    });
  });

  it('is not kept waiting for by bytes, long lists or lists of nothing', () => {
    const truncated = { truncated: 'more than 65536 bytes of JSON' };
    const bytes = Object.assign(Buffer.alloc(64 * 1024 * 1024), { toJSON: () => 'asked for its bytes' });
    let reads = 0;
    const counted = <T extends object>(list: T): T =>
      new Proxy(list, { get: (target, key) => (reads++, Reflect.get(target, key) as unknown) });
    const zeros = Array(10_000_000).fill(0);
    const started = performance.now();
    const values = [bytes, counted(zeros), counted(Array(4_000_000_000)), { toJSON: () => counted(zeros) }];
    expect(values.map((value) => stored(value, 65_536))).toEqual([
      '[67,108,864 bytes]',
      truncated,
      truncated,
      truncated,
    ]);
    // Each item takes a byte and a comma, and is read beside the length: far from 24 million.
    expect(reads).toBeLessThan(3 * 65_536 + 100);
    // A tenth of a second when nothing else runs; as JSON first it was most of a minute.
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('may take just as many bytes as are allowed', () => {
    for (const value of [[1, 2], [null, true, undefined], { a: 1, b: () => 1 }, 'é', [], {}]) {
      const text = JSON.stringify(value);
      const bytes = Buffer.byteLength(text);
      expect([storableJson(value, bytes), bytes < 5 || stored(value, bytes - 1)]).toEqual([
        text,
        bytes < 5 || { truncated: `more than ${bytes - 1} bytes of JSON` },
      ]);
    }
  });

  it('of an error has every text within bounds', () => {
    const error = { name: 'n'.repeat(300), message: 'm'.repeat(70_000), stack: 's'.repeat(70_000) };
    const { name, message, stack } = JSON.parse(storableError({ ...error, causes: [error] })) as typeof error;
    expect([name.length, message.length, stack.length]).toEqual([255, 16_384, 16_384]);
  });

  it('that was damaged by hand is read as its fallback', () => {
    expect(parseStored('{broken', { fallback: true })).toEqual({ fallback: true });
    expect(parseStored(null, 1)).toBe(1);
  });
});
