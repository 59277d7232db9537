/** The first rows of a file, by which an import is planned. */

import { Readable } from 'node:stream';
import { UsageError } from '../command.ts';
import { carryValues } from './carry.ts';
import type { Layout } from './layouts/layout.ts';
import type { Row } from './row.ts';
import { openRowsOf, type Source } from './source.ts';

/** The first rows of a file. */
export interface Sample {
  readonly rows: readonly Row[];
  /** Columns of the header, or of all these objects (NDJSON). */
  readonly columns: readonly string[];
  /** What was noticed while the file was opened: its encoding, its separator. */
  readonly notes: readonly string[];
}

/** So many rows are looked at before the plan is made. */
const SAMPLE_ROWS = 1000;

/** Reads the first 1,000 rows. Rejects with a {@link UsageError} if the file cannot be used. */
export async function readSample(source: Source, signal: AbortSignal): Promise<Sample> {
  const file = await openRowsOf(source, signal);
  const rows: Row[] = [];
  // A Set of the header keeps the columns of the rows in their order.
  const columns = new Set(file.columns);
  try {
    for await (const row of file.rows) {
      rows.push(row);
      if (row.columns !== file.columns) for (const column of row.columns) columns.add(column);
      if (rows.length === SAMPLE_ROWS) break;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new UsageError([`${source.options.file}: ${(error as Error).message}`]);
  } finally {
    file.close();
  }
  const seen = rows.some(({ columns: some }) => some !== file.columns && some.length > 0)
    ? [...columns]
    : file.columns;
  return { rows, columns: seen, notes: file.notes };
}

/** The sample as the rows of a layout that carries values from line to line. */
export async function withCarried(sample: Sample, layout: Layout | undefined): Promise<Sample> {
  if (!layout?.carried) return sample;
  const rows: Row[] = [];
  const columns = new Set(sample.columns);
  for await (const row of carryValues(Readable.from(sample.rows) as AsyncIterable<Row>, layout)) {
    rows.push(row);
    for (const column of row.columns) columns.add(column);
  }
  return { ...sample, rows, columns: [...columns] };
}
