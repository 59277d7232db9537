/** Follows the messages of a gRPC request as their bytes arrive, without keeping any. */

/** In front of each message: one byte that says whether it is compressed, and four with its size. */
const PREFIX_BYTES = 5;
/** What Node and grpc-js keep for a piece of a message besides its bytes. */
const CHUNK_OVERHEAD_BYTES = 256;
/** After this many pieces of a message, pieces have at least this size on average. */
const CHUNKS_MIN = 64;
const CHUNK_BYTES_MIN = 128;

/** Knows at each moment which message is arriving, and what keeping it costs. */
export class MessageArrival {
  readonly #isStream: boolean;
  #prefixBytes = 0;
  #prefixSize = 0;
  #size = 0;
  #compressed = false;
  #missingBytes = 0;
  #arrivedBytes = 0;
  #chunks = 0;

  /** `isStream`: each message is handed on when it is complete; otherwise the only one is kept until the end. */
  constructor(isStream: boolean) {
    this.#isStream = isStream;
  }

  /** The size that the latest message announced. */
  get sizeBytes(): number {
    return this.#size;
  }

  /** Whether the latest message says that it is compressed. */
  get compressed(): boolean {
    return this.#compressed;
  }

  /** What grpc-js keeps: the bytes that were not handed on, and an overhead for each piece. */
  get keptBytes(): number {
    return this.#arrivedBytes + this.#chunks * CHUNK_OVERHEAD_BYTES;
  }

  /** No client library sends a message in so many small pieces; each costs a turn through the server. */
  get isTrickle(): boolean {
    return this.#chunks > CHUNKS_MIN + this.#arrivedBytes / CHUNK_BYTES_MIN;
  }

  add(chunk: Buffer): void {
    this.#chunks++;
    this.#arrivedBytes += chunk.length;
    let at = 0;
    while (at < chunk.length) {
      if (this.#missingBytes > 0) {
        const length = Math.min(this.#missingBytes, chunk.length - at);
        this.#missingBytes -= length;
        at += length;
      } else {
        this.#addToPrefix(chunk[at++] ?? 0);
      }
      if (this.#isStream && this.#missingBytes === 0 && this.#prefixBytes === 0) {
        this.#arrivedBytes = chunk.length - at;
        this.#chunks = at < chunk.length ? 1 : 0;
      }
    }
  }

  #addToPrefix(byte: number): void {
    if (this.#prefixBytes === 0) {
      this.#compressed = byte !== 0;
      this.#prefixSize = 0;
    } else {
      this.#prefixSize = this.#prefixSize * 256 + byte;
    }
    this.#prefixBytes++;
    if (this.#prefixBytes < PREFIX_BYTES) return;
    this.#prefixBytes = 0;
    this.#size = this.#prefixSize;
    this.#missingBytes = this.#prefixSize;
  }
}
