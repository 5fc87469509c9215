/** How an answer came to its end: all of it was handed over, or the client left before. */
export type AnswerEnd = 'sent' | 'left';

/** The answer to the call that the work does: who reads its result. */
export interface CallAnswer {
  /** True where the work writes the answer itself (`@Res()`): then its end is the answer's. */
  readonly writtenByWork: boolean;
  /** True once its writer has said all, whether or not it has reached the client. */
  readonly complete: boolean;
  /** The error that it was broken off with on this side, if it was. */
  readonly failure: Error | null;
  /**
   * Calls `listener` once, when the answer has been sent or its client has left; soon, if that is past already.
   * @returns a function that stops the listening.
   */
  whenOver(listener: (end: AnswerEnd) => void): () => void;
  /** The result is there and begins to flow: it can no longer be an error instead. */
  begin(): void;
  /** Breaks it off, so that the client sees that it is not whole. */
  cut(): void;
}
