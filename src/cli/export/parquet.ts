/** Charges as Parquet: typed columns, costs as DECIMAL(28, 9), times in microseconds. */

import { ByteWriter, parquetWriteRows } from 'hyparquet-writer';
import type { ColumnKind } from './cell-text.ts';
import { CHARGE_COLUMNS } from './charge-columns.ts';
import { checkColumns, type Item } from './item.ts';

/** Charges of a row group: so many are in memory at a time. */
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

const SCHEMA = [
  { name: 'charge', num_children: CHARGE_COLUMNS.length },
  ...CHARGE_COLUMNS.map(({ name, kind }) => ({
    name,
    repetition_type: 'OPTIONAL' as const,
    ...TYPES[kind],
  })),
];

/**
 * Writes one file. `write` gets its bytes in order, and the next charges are asked for when it has resolved. What has
 * no value is null. The end of a file lists everything in it, so an interrupted export starts over.
 */
export async function writeParquet(
  items: AsyncIterable<Item>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const writer = new ByteWriter();
  const flush = async (): Promise<void> => {
    await write(writer.getBytes());
    writer.index = 0;
  };
  await parquetWriteRows({
    writer: Object.assign(writer, { flush, finish: flush }),
    rows: rowsOf(items),
    // The index of pages would grow in memory with the file.
    columns: CHARGE_COLUMNS.map(({ name }) => ({ name, offsetIndex: false })),
    schema: SCHEMA,
    rowGroupSize: ROW_GROUP_SIZE,
    createdBy: 'charge export',
  });
}

async function* rowsOf(items: AsyncIterable<Item>): AsyncGenerator<Record<string, string | bigint | null>> {
  for await (const item of items) {
    checkColumns(item);
    yield Object.fromEntries(
      CHARGE_COLUMNS.map(({ name, value }) => {
        const cell = value(item);
        return [name, cell === undefined || cell === '' ? null : cell];
      }),
    );
  }
}
