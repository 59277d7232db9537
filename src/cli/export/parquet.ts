/** Rows as Parquet: typed columns, costs as DECIMAL(28, 9), times in microseconds. */

import { ByteWriter, parquetWriteRows } from 'hyparquet-writer';
import type { Column, ColumnKind } from '../cell-text.ts';

/** Rows of a row group: so many are in memory at a time. */
const ROW_GROUP_SIZE = 10_000;

const TYPES = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  count: { type: 'INT64' },
  micros: { type: 'INT64', converted_type: 'TIMESTAMP_MICROS' },
  // INT64 holds only 18 digits of a decimal.
  nanos: {
    type: 'FIXED_LEN_BYTE_ARRAY',
    type_length: 12,
    converted_type: 'DECIMAL',
    precision: 28,
    scale: 9,
  },
} as const satisfies Record<ColumnKind, object>;

/**
 * Writes one file. `write` gets its bytes in order, and the next rows are asked for when it has resolved. What has no
 * value is null. The end of a file lists everything in it, so an interrupted export starts over.
 */
export async function writeParquet<Row>(
  name: string,
  columns: readonly Column<Row>[],
  rows: AsyncIterable<Row>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const writer = new ByteWriter();
  const flush = async (): Promise<void> => {
    await write(writer.getBytes());
    writer.index = 0;
  };
  await parquetWriteRows({
    writer: Object.assign(writer, { flush, finish: flush }),
    rows: cellsOf(columns, rows),
    // The index of pages would grow in memory with the file.
    columns: columns.map((column) => ({ name: column.name, offsetIndex: false })),
    schema: [
      { name, num_children: columns.length },
      ...columns.map((column) => ({
        name: column.name,
        repetition_type: 'OPTIONAL' as const,
        ...TYPES[column.kind],
      })),
    ],
    rowGroupSize: ROW_GROUP_SIZE,
    createdBy: 'charge export',
  });
}

async function* cellsOf<Row>(
  columns: readonly Column<Row>[],
  rows: AsyncIterable<Row>,
): AsyncGenerator<Record<string, string | bigint | null>> {
  for await (const row of rows)
    yield Object.fromEntries(
      columns.map(({ name, value }) => {
        const cell = value(row);
        return [name, cell === undefined || cell === '' ? null : cell];
      }),
    );
}
