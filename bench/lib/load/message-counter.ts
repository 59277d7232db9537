/** Counts the gRPC messages of a response without keeping them. */

/** Compression flag and length, in front of each message. */
export const GRPC_PREFIX_BYTES = 5;

/** Follows the message prefixes of one response through its DATA frames. */
export class MessageCounter {
  /** Whole messages so far. */
  messages = 0;
  /** Bytes of all messages, without their prefixes. */
  messageBytes = 0;
  #prefixLeft = GRPC_PREFIX_BYTES;
  #length = 0;
  #messageLeft = 0;

  /** Takes `data` from `start` up to `end`, and returns how many messages ended in it. */
  add(data: Buffer, start: number, end: number): number {
    const before = this.messages;
    let at = start;
    while (at < end) {
      if (this.#prefixLeft > 0) {
        // The first byte is the flag: it moves out of the 32 bits of the length.
        this.#length = ((this.#length << 8) | (data[at++] ?? 0)) >>> 0;
        if (--this.#prefixLeft > 0) continue;
        this.#messageLeft = this.#length;
        this.messageBytes += this.#length;
      } else {
        const taken = Math.min(this.#messageLeft, end - at);
        this.#messageLeft -= taken;
        at += taken;
      }
      if (this.#messageLeft > 0) continue;
      this.messages++;
      this.#prefixLeft = GRPC_PREFIX_BYTES;
    }
    return this.messages - before;
  }
}
