/** Bytes of unary responses that clients have not read yet, by connection. */

import { type Failure, overloaded } from '../errors/failure.ts';
import { prepareFailure } from './status.ts';

/** Smaller responses are not counted: even one for each call in flight needs little memory. */
const COUNTED_BYTES_MIN = 16 * 1024;
/** One connection may leave this part of all bytes unread. */
const CONNECTION_PART = 8;
/** From this part of the limit on, responses should be small. */
const PRESSURE_PART = 0.25;
/** A connection that has read everything gets its responses up to this multiple of the limit. */
const HARD_LIMIT_FACTOR = 2;

/**
 * Whoever asks for large pages and does not read them makes the server keep them. A connection with
 * too many unread bytes gets no more large responses until it reads. If all connections together
 * have too many, only those that have read everything go on.
 */
export class ResponseBytes {
  readonly #bytesMax: number;
  readonly #failure: Failure;
  readonly #byConnection = new Map<string, number>();
  #bytes = 0;

  constructor(bytesMax: number, retryAfterMs: number) {
    this.#bytesMax = bytesMax;
    const bytes = `${bytesMax.toLocaleString('en')} bytes of responses that clients have not read`;
    this.#failure = prepareFailure(overloaded('response_bytes', bytes, retryAfterMs));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether so much is unread that responses should be small. */
  get underPressure(): boolean {
    return this.#bytes > this.#bytesMax * PRESSURE_PART;
  }

  /** Why this connection gets no large response now, or undefined. */
  refusal(connection: string): Failure | undefined {
    if (this.#byConnection.size === 0) return undefined;
    const own = this.#byConnection.get(connection) ?? 0;
    const max = own > 0 ? this.#bytesMax : this.#bytesMax * HARD_LIMIT_FACTOR;
    const tooMany = own > this.#bytesMax / CONNECTION_PART || this.#bytes > max;
    return tooMany ? this.#failure : undefined;
  }

  /** A response was handed to the transport. Returns whether it is counted: then `read` follows. */
  sent(connection: string, bytes: number): boolean {
    if (bytes < COUNTED_BYTES_MIN) return false;
    this.#bytes += bytes;
    this.#byConnection.set(connection, (this.#byConnection.get(connection) ?? 0) + bytes);
    return true;
  }

  /** The client has read the response, or its stream is closed. */
  read(connection: string, bytes: number): void {
    this.#bytes -= bytes;
    const left = (this.#byConnection.get(connection) ?? 0) - bytes;
    if (left > 0) this.#byConnection.set(connection, left);
    else this.#byConnection.delete(connection);
  }
}
