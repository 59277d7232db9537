/** Turns the bytes of a file into UTF-8, or says which encoding they seem to have. */

import { isUtf8 } from 'node:buffer';
import { readHead } from './head.ts';

/** The encoding is told from so many bytes. */
const HEAD_BYTES = 65_536;
/** Bytes in which UTF-16 without a mark shows its pattern. */
const PATTERN_BYTES = 1024;
const [NEW_LINE, CARRIAGE_RETURN] = [10, 13];

/** A UTF-8 stream. */
export interface TextFile {
  readonly bytes: AsyncIterable<Buffer>;
  /** The byte that ends a line: 10, or 13 in a file of an old Mac. */
  readonly lineEnd: number;
}

/**
 * Reads UTF-8 and UTF-16, with a byte order mark or without. Rejects with an Error for every other encoding.
 * A byte that is not UTF-8 after the beginning is a fault of its line (`readLines`). What was noticed
 * is added to `notes`.
 */
export async function decodeText(source: AsyncIterable<Buffer>, notes: string[]): Promise<TextFile> {
  const { head, bytes } = await readHead(source, HEAD_BYTES);
  const utf16 = utf16Of(head);
  if (utf16 === undefined) {
    refuseOtherEncodings(head);
    return { bytes, lineEnd: lineEndOf(head, notes) };
  }
  notes.push(`encoding ${utf16.toUpperCase()}`);
  const decoded = await readHead(fromUtf16(bytes, utf16), HEAD_BYTES);
  return { bytes: decoded.bytes, lineEnd: lineEndOf(decoded.head, notes) };
}

function lineEndOf(head: Buffer, notes: string[]): number {
  if (!head.includes(CARRIAGE_RETURN) || head.includes(NEW_LINE)) return NEW_LINE;
  notes.push('lines end with a carriage return');
  return CARRIAGE_RETURN;
}

function utf16Of(head: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  const start = head.toString('hex', 0, 4);
  if (start === 'fffe0000' || start === '0000feff') throw new Error('the file is UTF-32: save it as UTF-8');
  if (start.startsWith('fffe')) return 'utf-16le';
  if (start.startsWith('feff')) return 'utf-16be';
  // Without the mark: in UTF-16, one byte of each letter and digit of a header is 0.
  const sample = head.subarray(0, PATTERN_BYTES);
  const zeros = [0, 0];
  for (const [index, byte] of sample.entries()) if (byte === 0) zeros[index % 2]! += 1;
  const [high = 0, low = 0] = zeros;
  const most = sample.length / 2;
  if (low > most * 0.6 && high < most * 0.1) return 'utf-16le';
  return high > most * 0.6 && low < most * 0.1 ? 'utf-16be' : undefined;
}

async function* fromUtf16(bytes: AsyncIterable<Buffer>, encoding: string): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(encoding, { fatal: true });
  try {
    for await (const chunk of bytes) yield Buffer.from(decoder.decode(chunk, { stream: true }));
    yield Buffer.from(decoder.decode());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_ENCODING_INVALID_ENCODED_DATA') throw error;
    const message = `the file is not valid ${encoding.toUpperCase()}: save it as UTF-8`;
    throw Object.assign(new Error(message), { code: 'ERR_ENCODING_INVALID_ENCODED_DATA' });
  }
}

/**
 * A file whose beginning has bytes above 127, and not one character of UTF-8 among them, is in another
 * encoding. If there is one, the file is UTF-8, and only the lines with other bytes are faulty.
 */
function refuseOtherEncodings(head: Buffer): void {
  // The last character may be cut.
  const complete = head.length < HEAD_BYTES ? head : head.subarray(0, -3);
  if (isUtf8(complete) || /[\xc2-\xf4][\x80-\xbf]/.test(complete.toString('latin1'))) return;
  const line = complete
    .subarray(
      0,
      complete.findIndex((byte) => byte > 127),
    )
    .toString('latin1')
    .split(/\r\n?|\n/).length;
  throw new Error(
    `line ${line} is not UTF-8; the file is probably Windows-1252, as spreadsheets save "CSV". Save it as ` +
      '"CSV UTF-8", or convert it: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW_FILE',
  );
}
