/**
 * Request ids for rows that have none: `import:<file id>:<line>`.
 *
 * The file id is made from the header and the first row, because the request ids must stay the same if
 * - the file is copied or renamed: the path does not count;
 * - the file grows: only its beginning counts;
 * - a rejected row is corrected in place: the content of the other rows does not count, and neither
 *   does a hash over all rows so far, which would charge every row after the correction again;
 * - a stored row is changed: the service then finds other content under the id and names the field.
 *   With the content of the row in its id, the row would be charged a second time.
 * The header alone is not enough: files of two months have the same one.
 *
 * Two files with the same header and the same first row share their ids. Rows with a time or a
 * reference hardly ever are the same; for others the importer warns, and `--source-name` replaces the
 * content. If the first row itself is corrected, `--file-id` keeps the old id.
 */

import { createHash } from 'node:crypto';

/** A file id: 16 lower-case hexadecimal digits. */
export const FILE_ID = /^[0-9a-f]{16}$/;

/** The file id of a file with this header (empty for NDJSON) and this first row. */
export function fileIdOfContent(header: string, firstRow: string): string {
  return hash('content', header, firstRow);
}

/** The file id for a `--source-name`: the same name is the same file, whatever it contains. */
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
    // A copy with other line ends is the same file.
    const text = part.replaceAll('\r\n', '\n');
    // With its length, ("ab", "c") differs from ("a", "bc").
    digest.update(`\0${Buffer.byteLength(text)}\0`).update(text);
  }
  return digest.digest('hex').slice(0, 16);
}
