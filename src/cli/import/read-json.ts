/** Reads NDJSON, an array of objects, and documents that hold arrays of objects. */

import type { TextFile } from './encoding.ts';
import { readHead } from './head.ts';
import { isExported } from './layouts/exported.ts';
import { jsonRows } from './json-rows.ts';
import { readJsonValues, type JsonText } from './json-values.ts';
import { readLines } from './read-lines.ts';
import type { Row, RowSource } from './row.ts';
import { SummaryRows } from './summary.ts';

const HEAD_BYTES = 65_536;

/** Finds the shape, and adds it to `notes`. The rows are read when they are asked for. */
export async function openJson(file: TextFile, notes: string[]): Promise<RowSource> {
  const { head, bytes } = await readHead(file.bytes, HEAD_BYTES);
  const shape = shapeOf(head);
  const values = shape === 'lines' ? readLines(bytes, file.lineEnd) : readJsonValues(bytes);
  if (shape !== 'lines') notes.push(`a JSON ${shape}`);
  return { format: 'ndjson', columns: [], rows: readRows(values), notes };
}

async function* readRows(values: AsyncIterable<JsonText>): AsyncGenerator<Row> {
  const summaries = new SummaryRows(false);
  for await (const { number: line, text, endOffset, fault } of values) {
    if (text.trim() === '' && fault === undefined) continue;
    const rows = fault ?? jsonRows(text);
    if (typeof rows === 'string') {
      yield { line, raw: text, endOffset, columns: [], cells: [], fault: rows };
      continue;
    }
    for (const { columns, cells, raw = text } of rows) {
      const row = { line, raw, endOffset, columns };
      const reason = isExported(columns) ? undefined : summaries.reasonFor(columns, cells);
      yield reason === undefined ? { ...row, cells } : { ...row, cells: [], fault: reason };
    }
  }
}

/**
 * Lines, if the first line is a whole value, or if a value begins on the next one: then the first one is
 * broken, and costs only its own row. Otherwise the values go over several lines, or one line has everything.
 */
function shapeOf(head: Buffer): 'lines' | 'array' | 'document' {
  const text = head.toString('utf8').replace(/^[\ufeff\s]+/, '');
  if (text.startsWith('[')) return 'array';
  const [first = '', second] = text.split(/[\r\n]\s*/, 2);
  if (second === undefined) return head.length < HEAD_BYTES ? 'lines' : 'document';
  return !text.startsWith('{') || isJson(first) || /^[{[]/.test(second) ? 'lines' : 'document';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
