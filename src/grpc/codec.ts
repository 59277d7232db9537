/** Bytes and messages: strict where ts-proto's defaults are lenient, and without its extra copies. */

import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';

/** The parts of ts-proto's generated codecs that are used here. */
export interface Encoder<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
}

/** An encoder that decodes, too. */
export interface Codec<T> extends Encoder<T> {
  decode(input: BinaryReader | Uint8Array, length?: number): T;
}

// A leading U+FEFF in a protobuf string is text, not a byte-order mark.
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const decodeStrictUtf8 = (bytes: Uint8Array): string => strictUtf8.decode(bytes);

/** Reads strings as proto3 wants it: invalid UTF-8 is an error instead of U+FFFD. */
class StrictReader extends BinaryReader {
  // ts-proto adds this member to every reader that it meets; declared here, the reader keeps one
  // hidden class, which halves the time of decoding.
  __tsProtoDecodeDepth = 0;

  constructor(bytes: Uint8Array) {
    super(bytes, decodeStrictUtf8);
  }
}

/** The message that `bytes` hold, or undefined where they hold none. Never throws. */
export function decodeStrictly<T>(codec: Codec<T>, bytes: Uint8Array): T | undefined {
  try {
    const reader = new StrictReader(bytes);
    const message = codec.decode(reader);
    // ts-proto stops at a tag of 0 as if the message ended there.
    return reader.pos === bytes.length ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Above this a writer's buffer is given back: one large response must not stay for ever. */
const KEPT_WRITER_BYTES_MAX = 256 * 1024;

interface WriterInternals {
  buffer: Uint8Array<ArrayBuffer>;
  pos: number;
}

let sharedWriter = new BinaryWriter();

/**
 * Encodes into a buffer that the next call overwrites: for callers that copy at once, as grpc-js
 * does when it puts its five bytes in front. A new writer for each response, and ts-proto's two
 * copies, would take several times as long. Throws where ts-proto does (a count beyond int64).
 */
export function encodeTransient<T>(codec: Encoder<T>, message: T): Buffer {
  try {
    codec.encode(message, sharedWriter);
  } catch (error) {
    sharedWriter = new BinaryWriter();
    throw error;
  }
  return written();
}

/** What gRPC puts in front of a message: a flag, 0 for a plain one, and the size in four bytes. */
export const PREFIX_BYTES = 5;
const PREFIX = new Uint8Array(PREFIX_BYTES);

/**
 * Encodes messages as a gRPC stream carries them, each behind its prefix, into one buffer of their
 * own. Throws where ts-proto does.
 */
export function encodeFramed<T>(codec: Encoder<T>, messages: readonly T[]): Buffer {
  const internals = sharedWriter as unknown as WriterInternals;
  try {
    for (const message of messages) {
      const start = internals.pos;
      sharedWriter.raw(PREFIX);
      codec.encode(message, sharedWriter);
      const size = internals.pos - start - PREFIX_BYTES;
      // The writer changes its buffer as it grows.
      const { buffer } = internals;
      buffer[start + 1] = size >>> 24;
      buffer[start + 2] = size >>> 16;
      buffer[start + 3] = size >>> 8;
      buffer[start + 4] = size;
    }
  } catch (error) {
    sharedWriter = new BinaryWriter();
    throw error;
  }
  return Buffer.from(written());
}

/** What the shared writer holds; the next use of it overwrites that. */
function written(): Buffer {
  const internals = sharedWriter as unknown as WriterInternals;
  const bytes = Buffer.from(internals.buffer.buffer, 0, internals.pos);
  internals.pos = 0;
  if (bytes.length > KEPT_WRITER_BYTES_MAX) sharedWriter = new BinaryWriter();
  return bytes;
}
