import { errorLine, errorText, toStoredError } from './stored-error.js';

describe('a stored error', () => {
  it('has a text for whatever was thrown', () => {
    const frozen = Object.freeze({ message: 'frozen', code: 7 });
    const bare = Object.create(null) as object;
    for (const thrown of [undefined, null, '', 'text', 0, Symbol('s'), 10n, frozen, bare, new Error('')]) {
      const { name, message } = toStoredError(thrown);
      expect(name).not.toBe('');
      expect(message).not.toBe('');
    }
    expect(toStoredError(frozen)).toMatchObject({ message: 'frozen', code: '7' });
  });

  it('shows the members of an aggregate and the chain of causes', () => {
    const error = new AggregateError([new Error('first'), new Error('second', { cause: 'root' })], 'both');
    expect(errorLine(toStoredError(error))).toBe('both (first; second (root))');
    expect(errorText(error)).toBe('both (first; second (root))');
  });

  it('ends where causes run in a circle, and does not trip over getters that throw', () => {
    const circular = new Error('round');
    circular.cause = circular;
    expect(toStoredError(circular).causes).toBeUndefined();
    const hostile = {
      get message(): string {
        throw new Error('no');
      },
    };
    expect(toStoredError(hostile).message).not.toBe('');
  });

  it('of a thrown object is its JSON, without the bytes in it, and found without reading all of a large one', () => {
    const bytes = Buffer.alloc(64 * 1024 * 1024);
    const started = performance.now();
    expect(toStoredError({ status: 404, data: Buffer.from('abc'), at: new Date(0) }).message).toBe(
      '{"status":404,"data":"[3 bytes]","at":"1970-01-01T00:00:00.000Z"}',
    );
    expect(toStoredError(bytes).message).toBe('"[67108864 bytes]"');
    expect(toStoredError({ response: { body: bytes } }).message).toBe('{"response":{"body":"[67108864 bytes]"}}');
    const many = 'an object too large for a message was thrown';
    expect(toStoredError({ list: Array(1_000_000).fill(0) }).message).toBe(many);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
