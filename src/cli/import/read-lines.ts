/** Cuts a stream of bytes into lines, one at a time and of bounded length. */

import { isUtf8 } from 'node:buffer';

/** Bytes of a line (or of a CSV record over several lines) at most; the service takes items of 1 MiB. */
export const LINE_BYTES_MAX = 1_048_576;

/** How much of an over-long line is kept for the reject file. */
const KEPT_BYTES_MAX = 4096;

/** One line of a file, without its line end. */
export interface Line {
  /** Counts from 1, as an editor shows it. */
  readonly number: number;
  readonly text: string;
  /** Bytes of the file up to and including this line. */
  readonly endOffset: number;
  /** Why the line cannot be used; its text is then only what could be kept of it. */
  readonly fault?: string;
}

/**
 * Yields every line, blank ones too. `\n` and `\r\n` end a line; the last one needs no end. A byte
 * order mark is left out. Lines that are not UTF-8 or longer than {@link LINE_BYTES_MAX} come with
 * a fault instead of being changed or gathered up in memory. Errors of `source` pass through.
 */
export async function* readLines(source: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let number = 1;
  let offset = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;
  let lostBytes = 0;
  const hold = (part: Buffer): void => {
    if (heldBytes + part.length > LINE_BYTES_MAX + 1) {
      lostBytes += part.length;
      return;
    }
    held.push(part);
    heldBytes += part.length;
  };
  const take = (endBytes: number): Line => {
    const bytes = held.length === 1 && held[0] ? held[0] : Buffer.concat(held, heldBytes);
    offset += heldBytes + lostBytes + endBytes;
    const line = toLine(bytes, number, offset, lostBytes);
    held = [];
    heldBytes = 0;
    lostBytes = 0;
    number += 1;
    return line;
  };
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      hold(chunk.subarray(start, end));
      start = end + 1;
      yield take(1);
    }
    if (start < chunk.length) hold(chunk.subarray(start));
  }
  if (heldBytes + lostBytes > 0) yield take(0);
}

function toLine(bytes: Buffer, number: number, endOffset: number, lostBytes: number): Line {
  let content = bytes;
  if (content.at(-1) === 13) content = content.subarray(0, -1);
  if (number === 1 && content[0] === 0xef && content[1] === 0xbb && content[2] === 0xbf)
    content = content.subarray(3);
  if (lostBytes > 0 || content.length > LINE_BYTES_MAX) {
    const text = content.subarray(0, KEPT_BYTES_MAX).toString('utf8');
    return { number, text, endOffset, fault: `the line is longer than ${LINE_BYTES_MAX} bytes` };
  }
  const text = content.toString('utf8');
  if (isUtf8(content)) return { number, text, endOffset };
  return { number, text, endOffset, fault: 'the line is not valid UTF-8' };
}
