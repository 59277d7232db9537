/** Bytes that callers make the server keep for them. */

/**
 * What is held beside the work: plain unary requests that are still arriving, with their headers; what
 * the windows of clients hold back; and what their sockets have not taken, of streams and pings as well.
 * All of it depends on the caller alone, so a bound on the number of calls is none. Calls that were taken
 * on before it was full are still answered, and add their answers. What grpc-js and node:http2 keep for
 * their own calls is bounded by their limits, and not counted.
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
