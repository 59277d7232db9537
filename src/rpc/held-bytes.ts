/** Bytes that callers make the server keep for them. */

/**
 * What unary calls hold beside their work: requests that are still arriving, and answers that their
 * callers have not taken. Both depend on the caller alone, so a bound on the number of calls is none.
 * Calls that were taken on before it was full are still answered, and add their answers.
 * Counted for the calls of the lane; what grpc-js keeps for others is bounded by its own limits.
 */
export class HeldBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether callers hold so much that nothing new is taken on. */
  get full(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  /** These are kept; also where it is full already. */
  take(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The caller is done with these. */
  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}
