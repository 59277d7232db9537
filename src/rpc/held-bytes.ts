/** Bytes that callers make the server keep for them. */

/**
 * What is held beside the work: requests of unary calls that are still arriving, their answers where
 * windows hold them back, and what sockets have not taken. All of it depends on the caller alone, so a
 * bound on the number of calls is none. Calls that were taken on before it was full are still
 * answered, and add their answers. What grpc-js keeps for its own calls is bounded by its limits.
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
