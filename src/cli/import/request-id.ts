/**
 * Request ids for rows that bring none.
 *
 * An id is `import:<file id>:<line>`. What a row's id must survive decides what the file id covers:
 *
 * - The path or name does not count: a copy or a renamed file replays.
 * - A log that has grown replays its old rows: only the beginning of the file may count.
 * - A rejected row is corrected in place and the file imported again: the other rows must replay.
 *   So neither a hash of the whole file nor a running hash up to the row will do; either would
 *   give every row behind the correction a new id and charge it twice.
 * - A row that is changed after it was stored meets its old id with other content: the service
 *   refuses it and names the field. Were the row's own content part of the id, the changed row
 *   would be charged a second time without a word.
 * - Two files of the same shape must differ: the header alone does not tell January from February.
 *
 * Hence: the header and the first row, and the line number. Both are parts of the text of the file
 * without byte order mark and with `\n` for every line end. Two different files that begin with the
 * same header and the same first row would share ids. Rows with a time or a reference hardly do;
 * for others the importer warns, and `--source-name` gives the file an identity of its own.
 * A first row that is itself corrected changes the file id: `--file-id` then keeps the old one.
 */

import { createHash } from 'node:crypto';

/** A file id: 16 lower-case hexadecimal digits. */
export const FILE_ID = /^[0-9a-f]{16}$/;

/** The file id of a file that begins with these texts; `header` is empty for NDJSON. */
export function fileIdOfContent(header: string, firstRow: string): string {
  return hash('content', header, firstRow);
}

/** The file id of a file that its owner named: the same name is the same file, whatever it contains. */
export function fileIdOfName(sourceName: string): string {
  return hash('name', sourceName);
}

/** The request id of a row: printable ASCII, at most 40 characters. `line` counts from 1. */
export function requestIdOf(fileId: string, line: number): string {
  return `import:${fileId}:${line}`;
}

function hash(...parts: readonly string[]): string {
  const digest = createHash('sha256').update('charge-import/1');
  for (const part of parts) {
    const text = part.replaceAll('\r\n', '\n');
    // The length keeps ("ab", "c") apart from ("a", "bc").
    digest.update(`\0${Buffer.byteLength(text)}\0`).update(text);
  }
  return digest.digest('hex').slice(0, 16);
}
