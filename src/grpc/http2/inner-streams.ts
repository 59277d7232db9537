/** The open streams of node:http2 on one connection. */

/** Halves of a stream that have ended. */
const REMOTE = 1;
const LOCAL = 2;
const BOTH = REMOTE | LOCAL;

/** Which streams are open, by what both sides have sent; of other streams nothing is known. */
export class InnerStreams {
  /** The halves of each that have ended. */
  readonly #ended = new Map<number, number>();

  /** How many are open. */
  get count(): number {
    return this.#ended.size;
  }

  /** Whether the stream is open. */
  has(streamId: number): boolean {
    return this.#ended.has(streamId);
  }

  /** The client began a stream. */
  begin(streamId: number): void {
    this.#ended.set(streamId, 0);
  }

  /** The client ended its half. */
  remoteEnded(streamId: number): void {
    this.#end(streamId, REMOTE);
  }

  /** node:http2 ended its half, and the client is sent that. */
  localEnded(streamId: number): void {
    this.#end(streamId, LOCAL);
  }

  /** Either side reset the stream. */
  reset(streamId: number): void {
    this.#ended.delete(streamId);
  }

  #end(streamId: number, half: number): void {
    const before = this.#ended.get(streamId);
    if (before === undefined) return;
    if ((before | half) === BOTH) this.#ended.delete(streamId);
    else this.#ended.set(streamId, before | half);
  }
}
