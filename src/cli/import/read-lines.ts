/** Cuts a stream of bytes into lines of limited length. */

import { isUtf8 } from 'node:buffer';

/** Most bytes of a line, and of a CSV row with several lines. The service accepts items of 1 MiB. */
export const LINE_BYTES_MAX = 1_048_576;

/** Bytes of a line that is too long which go into the reject file. */
const KEPT_BYTES_MAX = 4096;
const NEW_LINE = 10;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** One line of a file, without its line end. */
export interface Line {
  /** Counts from 1, as an editor shows it. */
  readonly number: number;
  readonly text: string;
  /** Bytes of the file up to the end of this line. */
  readonly endOffset: number;
  /** Why the line cannot be used. Its text is then what could be kept of it. */
  readonly fault?: string;
}

/**
 * Yields every line, also the blank ones. `\n` and `\r\n` end a line, or `lineEnd` alone; the last one needs
 * no end. Byte order marks are left out, also where files were put together. A line that is not UTF-8, has
 * a NUL or is longer than {@link LINE_BYTES_MAX} gets a fault. A line that is too long is not collected in
 * memory. With `isVerbatim`, carriage returns and byte order marks are parts of the text. Errors of `source`
 * pass through.
 */
export async function* readLines(
  source: AsyncIterable<Buffer>,
  lineEnd = NEW_LINE,
  isVerbatim = false,
): AsyncGenerator<Line> {
  let number = 0;
  let offset = 0;
  let parts: Buffer[] = [];
  let keptBytes = 0;
  let lostBytes = 0;
  const keep = (part: Buffer): void => {
    const hasRoom = keptBytes + part.length <= LINE_BYTES_MAX + 1;
    if (hasRoom) parts.push(part);
    keptBytes += hasRoom ? part.length : 0;
    lostBytes += hasRoom ? 0 : part.length;
  };
  const take = (endBytes: number): Line => {
    number += 1;
    offset += keptBytes + lostBytes + endBytes;
    const bytes = Buffer.concat(parts, keptBytes);
    const line = toLine(isVerbatim ? bytes : withoutMarks(bytes), number, offset, lostBytes > 0);
    [parts, keptBytes, lostBytes] = [[], 0, 0];
    return line;
  };
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(lineEnd); end >= 0; end = chunk.indexOf(lineEnd, start)) {
      keep(chunk.subarray(start, end));
      start = end + 1;
      yield take(1);
    }
    if (start < chunk.length) keep(chunk.subarray(start));
  }
  if (keptBytes + lostBytes > 0) yield take(0);
}

/** Without byte order marks at the beginning and the carriage return at the end. */
function withoutMarks(bytes: Buffer): Buffer {
  let start = 0;
  while (bytes.subarray(start, start + 3).equals(BYTE_ORDER_MARK)) start += 3;
  return bytes.subarray(start, bytes.at(-1) === 13 ? -1 : undefined);
}

function toLine(content: Buffer, number: number, endOffset: number, isCut: boolean): Line {
  if (isCut || content.length > LINE_BYTES_MAX) {
    const text = content.toString('utf8', 0, KEPT_BYTES_MAX);
    return { number, text, endOffset, fault: `the line is longer than ${LINE_BYTES_MAX} bytes` };
  }
  const line = { number, text: content.toString('utf8'), endOffset };
  const fault = faultOf(content);
  return fault === undefined ? line : { ...line, fault };
}

/** Why bytes cannot be stored as text. Undefined: they can. */
export function faultOf(content: Buffer): string | undefined {
  if (content.includes(0)) return 'the line has a NUL character (U+0000), which no text can have';
  return isUtf8(content) ? undefined : 'the line is not valid UTF-8';
}
