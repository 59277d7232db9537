/** What the load generator needs of HTTP/2's framing (RFC 9113). */

/** What a client sends before its first frame. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Length of the header of every frame. */
export const FRAME_HEADER_BYTES = 9;

/** The largest payload, unless SETTINGS allow more. */
export const FRAME_BYTES_MAX = 16_384;

/** The flow-control window of a connection, and of a stream unless SETTINGS say otherwise. */
export const WINDOW_DEFAULT = 65_535;

/** Frame types. */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Frame flags. */
export const Flag = { NONE: 0, ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8 } as const;

/** Settings. */
export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
} as const;

const BYTES_MIN = 64 * 1024;

/** Collects frames in one buffer, so that many of them leave in one write. */
export class FrameBuffer {
  #bytes = Buffer.alloc(0);
  #length = 0;

  /** Returns what was appended since the last call; undefined if there is nothing. The caller keeps the buffer. */
  take(): Buffer | undefined {
    if (this.#length === 0) return undefined;
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = this.#bytes.subarray(this.#length);
    this.#length = 0;
    return taken;
  }

  /** Appends bytes as they are. */
  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Appends a frame. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.#reserve(FRAME_HEADER_BYTES + payload.length);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = payload.length >>> 16;
    bytes[at++] = payload.length >>> 8;
    bytes[at++] = payload.length;
    bytes[at++] = type;
    bytes[at++] = flags;
    this.#length = bytes.writeUInt32BE(streamId, at);
    this.append(payload);
  }

  /** Appends a WINDOW_UPDATE; stream 0 is the connection. */
  windowUpdate(streamId: number, increment: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(increment);
    this.frame(FrameType.WINDOW_UPDATE, Flag.NONE, streamId, payload);
  }

  /** Appends a SETTINGS frame. */
  settings(values: readonly (readonly [setting: number, value: number])[]): void {
    const payload = Buffer.alloc(6 * values.length);
    for (const [index, [setting, value]] of values.entries()) {
      payload.writeUInt16BE(setting, index * 6);
      payload.writeUInt32BE(value, index * 6 + 2);
    }
    this.frame(FrameType.SETTINGS, Flag.NONE, 0, payload);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed * 2, BYTES_MIN));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
