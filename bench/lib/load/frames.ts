/** The numbers of HTTP/2 (RFC 9113) that the client uses. */

/** Every frame starts with these. */
export const FRAME_HEADER_BYTES = 9;

/** Frame types. */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
} as const;

/** Frame flags. */
export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8 } as const;

/** Settings. */
export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
} as const;

/** Frames on their way to the socket, in one buffer that is used again and again. */
export class FrameBuffer {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #length = 0;

  /** A copy of what was appended since the last call; undefined: nothing. */
  take(): Buffer | undefined {
    if (this.#length === 0) return undefined;
    const copy = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return copy;
  }

  /** Appends bytes as they are. */
  append(bytes: Buffer): void {
    this.#reserve(bytes.length);
    bytes.copy(this.#bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Appends a frame. */
  frame(type: number, flags: number, id: number, payload: Buffer): void {
    this.#reserve(FRAME_HEADER_BYTES + payload.length);
    const out = this.#bytes;
    const at = this.#length;
    out[at] = payload.length >>> 16;
    out[at + 1] = payload.length >>> 8;
    out[at + 2] = payload.length;
    out[at + 3] = type;
    out[at + 4] = flags;
    out[at + 5] = id >>> 24;
    out[at + 6] = id >>> 16;
    out[at + 7] = id >>> 8;
    out[at + 8] = id;
    this.#length += FRAME_HEADER_BYTES;
    this.append(payload);
  }

  /** Appends a WINDOW_UPDATE. */
  windowUpdate(id: number, increment: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(increment, 0);
    this.frame(FrameType.WINDOW_UPDATE, 0, id, payload);
  }

  /**
   * Appends the client's settings. A server without a dynamic header table sends equal headers as
   * equal bytes, which a client can compare instead of decode.
   */
  settings(streamWindowBytes: number): void {
    const values = [
      [Setting.HEADER_TABLE_SIZE, 0],
      [Setting.ENABLE_PUSH, 0],
      [Setting.INITIAL_WINDOW_SIZE, streamWindowBytes],
    ] as const;
    const payload = Buffer.alloc(6 * values.length);
    for (const [index, [setting, value]] of values.entries()) {
      payload.writeUInt16BE(setting, index * 6);
      payload.writeUInt32BE(value, index * 6 + 2);
    }
    this.frame(FrameType.SETTINGS, 0, 0, payload);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
