// A machine whose clock is wrong: `SHIFT_DATE_MS` milliseconds ahead.
const shift = Number(process.env.SHIFT_DATE_MS);
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + shift);
    else super(...given);
  }
  static now() {
    return RealDate.now() + shift;
  }
};
