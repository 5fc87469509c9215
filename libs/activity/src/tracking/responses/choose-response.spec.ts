import { respondSettings, type RespondOptions } from '../../config/respond.options.js';
import { chooseResponse } from './choose-response.js';

const all: RespondOptions = { allow: ['accepted', 'stream'], maxWait: '10s' };

function choose(option: RespondOptions, headers: { prefer?: string; accept?: string } = {}) {
  return chooseResponse(respondSettings(option)!, { prefer: headers.prefer, accept: headers.accept });
}

describe('the way a call is answered', () => {
  it('is the default without a wish, or with one that is not allowed or not understood', () => {
    expect(choose(all)).toEqual({ mode: 'result' });
    expect(choose({ default: 'accepted' })).toEqual({ mode: 'accepted' });
    expect(choose({ allow: ['stream'] }, { prefer: 'respond-async, wait=1' })).toEqual({ mode: 'result' });
    expect(choose({ allow: ['accepted'] }, { accept: 'application/x-ndjson' })).toEqual({ mode: 'result' });
    for (const prefer of ['respond async', 'respond-async=yes', 'wait=soon', 'wait=-1', 'wait=1.5', 'wait']) {
      expect(choose(all, { prefer })).toEqual({ mode: 'result' });
    }
  });

  it('is accepted on respond-async and wait=N, which is bounded', () => {
    expect(choose(all, { prefer: 'respond-async' })).toEqual({ mode: 'accepted', applied: 'respond-async' });
    expect(choose(all, { prefer: 'wait=3' })).toEqual({ mode: 'accepted', waitMs: 3_000, applied: 'wait=3' });
    expect(choose(all, { prefer: 'wait=3, respond-async' })).toEqual({
      mode: 'accepted',
      waitMs: 3_000,
      applied: 'respond-async, wait=3',
    });
    expect(choose(all, { prefer: 'wait=999999' })).toMatchObject({ waitMs: 10_000, applied: 'wait=10' });
  });

  it('waits for no result where none is allowed', () => {
    expect(choose({ default: 'accepted' }, { prefer: 'wait=3' })).toEqual({ mode: 'accepted' });
  });

  it('is a stream on Accept, before Prefer, and not for those who would rather have JSON', () => {
    const accept = 'application/x-ndjson';
    expect(choose(all, { accept, prefer: 'respond-async' })).toEqual({ mode: 'stream' });
    expect(choose(all, { accept: 'application/json;q=0.5, Application/X-NDJSON; q=0.9' })).toEqual({ mode: 'stream' });
    expect(choose(all, { accept: 'application/json, application/x-ndjson;q=0.5' })).toEqual({ mode: 'result' });
    expect(choose(all, { accept: 'application/x-ndjson;q=0' })).toEqual({ mode: 'result' });
    expect(choose(all, { accept: '*/*' })).toEqual({ mode: 'result' });
  });

  it('streams by default to all that take a stream', () => {
    const option: RespondOptions = { default: 'stream', allow: ['result'] };
    for (const accept of [undefined, '', '*/*', 'application/*']) {
      expect(choose(option, { accept })).toEqual({ mode: 'stream' });
    }
    expect(choose(option, { accept: 'application/json' })).toEqual({ mode: 'result' });
    expect(choose({ default: 'stream' }, { accept: 'application/json' })).toEqual({ mode: 'stream' });
  });
});
