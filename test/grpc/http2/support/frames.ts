/** Frames as clients send them, also as none should. */

import { FrameBuffer } from '../../../../src/grpc/http2/frame-buffer.ts';
import { encodeFields } from '../../../../src/grpc/http2/hpack-encoder.ts';
import { fieldBytes, type HeaderField } from '../../../../src/grpc/http2/hpack-tables.ts';
import { Flag, FrameType, TABLE_BYTES_DEFAULT } from '../../../../src/grpc/http2/protocol.ts';

/** A frame of any kind. */
export function rawFrame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const out = new FrameBuffer();
  out.frame(type, flags, streamId, payload);
  return out.take() ?? Buffer.alloc(0);
}

/** Four bytes, and more. */
export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

/** SETTINGS with these values. */
export function settingsFrame(values: Readonly<Record<number, number>> = {}): Buffer {
  const entries = Object.entries(values).map(([setting, value]) => {
    const entry = Buffer.alloc(6);
    entry.writeUInt16BE(Number(setting));
    entry.writeUInt32BE(value, 2);
    return entry;
  });
  return rawFrame(FrameType.SETTINGS, 0, 0, Buffer.concat(entries));
}

/** WINDOW_UPDATE. */
export const windowUpdate = (streamId: number, increment: number): Buffer =>
  rawFrame(FrameType.WINDOW_UPDATE, 0, streamId, uint32(increment));

/** RST_STREAM. */
export const reset = (streamId: number, code = 8): Buffer =>
  rawFrame(FrameType.RST_STREAM, 0, streamId, uint32(code));

/** How a header block is cut into frames. */
export interface HeadersShape {
  readonly endStream?: boolean;
  /** Bytes of each frame's part; all of it in one where it is not given. */
  readonly partBytes?: number;
  /** Bytes of padding. */
  readonly padding?: number;
  readonly priority?: boolean;
}

/** A header block in HEADERS and CONTINUATION. */
export function headersFrames(streamId: number, block: Buffer, shape: HeadersShape = {}): Buffer {
  const { endStream = false, partBytes = block.length, padding, priority = false } = shape;
  const frames: Buffer[] = [];
  let at = 0;
  do {
    const part = block.subarray(at, at + partBytes);
    at += partBytes;
    const end = at >= block.length ? Flag.END_HEADERS : 0;
    if (frames.length > 0) {
      frames.push(rawFrame(FrameType.CONTINUATION, end, streamId, part));
      continue;
    }
    const flags =
      end |
      (endStream ? Flag.END_STREAM : 0) |
      (padding === undefined ? 0 : Flag.PADDED) |
      (priority ? Flag.PRIORITY : 0);
    const payload = Buffer.concat([
      Buffer.from(padding === undefined ? [] : [padding]),
      Buffer.from(priority ? [0, 0, 0, 0, 15] : []),
      part,
      Buffer.alloc(padding ?? 0),
    ]);
    frames.push(rawFrame(FrameType.HEADERS, flags, streamId, payload));
  } while (at < block.length);
  return Buffer.concat(frames);
}

/** How a body is cut into frames. */
export interface DataShape {
  readonly endStream?: boolean;
  readonly partBytes?: number;
  readonly padding?: number;
}

/** A body in DATA. */
export function dataFrames(streamId: number, body: Buffer, shape: DataShape = {}): Buffer {
  const { endStream = true, partBytes = 16_000, padding } = shape;
  const frames: Buffer[] = [];
  let at = 0;
  do {
    const part = body.subarray(at, at + partBytes);
    at += partBytes;
    const flags =
      (endStream && at >= body.length ? Flag.END_STREAM : 0) | (padding === undefined ? 0 : Flag.PADDED);
    const payload =
      padding === undefined ? part : Buffer.concat([Buffer.from([padding]), part, Buffer.alloc(padding)]);
    frames.push(rawFrame(FrameType.DATA, flags, streamId, payload));
  } while (at < body.length);
  return Buffer.concat(frames);
}

/** A header block that puts what is in no table into the dynamic one, and then refers to it. */
export class IndexingEncoder {
  /** The newest first. */
  readonly #table: HeaderField[] = [];
  /** References to the dynamic table in all blocks. */
  references = 0;

  encode(fields: readonly HeaderField[]): Buffer {
    return Buffer.concat(fields.map((field) => this.#encodeField(field)));
  }

  #encodeField(field: HeaderField): Buffer {
    const alone = encodeFields([field]);
    if ((alone[0] ?? 0) >= 0x80) return alone;
    const at = this.#table.findIndex(([name, value]) => name === field[0] && value === field[1]);
    if (at >= 0) {
      this.references++;
      // 62 + at: below 127 as the table has few fields.
      return Buffer.from([0x80 | (62 + at)]);
    }
    this.#table.unshift(field);
    const bytes = (): number => this.#table.reduce((sum, entry) => sum + fieldBytes(entry), 0);
    while (bytes() > TABLE_BYTES_DEFAULT || this.#table.length > 60) {
      if (this.#table.length > 60) throw new RangeError('more fields than this encoder can name');
      this.#table.pop();
    }
    // With its name as a string: never wrong, if not short.
    const text = (value: string): Buffer => {
      if (value.length > 126) throw new RangeError('longer than this encoder can say');
      return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
    };
    return Buffer.concat([Buffer.from([0x40]), text(field[0]), text(field[1])]);
  }
}
