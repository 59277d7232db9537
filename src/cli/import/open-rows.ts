/** Finds out what a file is, from its bytes, and reads its rows. */

import { decompress } from './compression.ts';
import { openCsv } from './read-csv.ts';
import { decodeText } from './encoding.ts';
import { readHead } from './head.ts';
import { EXPORTED_HEAD_BYTES, isExportedCsv } from './layouts/exported.ts';
import { openJson } from './read-json.ts';
import { readLines } from './read-lines.ts';
import type { FileHints, Row, RowSource } from './row.ts';

const FORMAT_BYTES = Math.max(512, EXPORTED_HEAD_BYTES);

/**
 * Opens the bytes of a file: undoes compression and UTF-16, finds the format, the separator and the header. The
 * rows are read when they are asked for. Rejects with an Error that says what is wrong and what to do.
 */
export async function openRows(source: AsyncIterable<Buffer>, hints: FileHints): Promise<RowSource> {
  let taken = 0;
  const counted = (async function* () {
    for await (const chunk of source) {
      taken += chunk.length;
      yield chunk;
    }
  })();
  const notes: string[] = [];
  const text = await decodeText(await decompress(counted, notes), notes);
  const isChanged = notes.length > 0;
  const { head, bytes } = await readHead(text.bytes, FORMAT_BYTES);
  const isExport = isExportedCsv(head);
  const csvHints = isExport ? { ...hints, delimiter: ',' } : hints;
  const opened = isJson(head, hints)
    ? await openJson({ ...text, bytes }, notes)
    : await openCsv(readLines(bytes, text.lineEnd, isExport), csvHints, notes);
  return isChanged ? { ...opened, rows: withOffset(opened.rows, () => taken) } : opened;
}

/** Rows of a file that was decompressed or decoded end where the file has been read to. */
async function* withOffset(rows: AsyncIterable<Row>, taken: () => number): AsyncGenerator<Row> {
  for await (const row of rows) yield { ...row, endOffset: taken() };
}

function isJson(head: Buffer, { format, delimiter }: FileHints): boolean {
  if (format === 'ndjson' || format === 'json') return true;
  // No header of a CSV file begins like this, whatever the name of the file says.
  return delimiter === undefined && /^[\ufeff\s]*(?:\{\s*["}]|\[\s*[{\]])/.test(head.toString('utf8'));
}
