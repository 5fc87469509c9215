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
});
