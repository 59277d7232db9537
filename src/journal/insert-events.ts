/** How another feature writes rows that are events of their own, with their entry in the journal. */

import type { EntityName, MikroORM } from '@mikro-orm/postgresql';
import type { ClientBase } from 'pg';

import { ColumnArrays } from '../database/column-arrays.ts';
import type { JournalKind } from './entity.ts';

/** A row whose id is also the id of its event. */
interface EventRow {
  readonly id: string;
  /** The number of the event. It is set when the row is written. */
  sequence: bigint;
}

/** Writes rows of one entity. Made once per database. */
export class InsertEvents<Row extends EventRow> {
  readonly #columns: ColumnArrays<Row>;
  readonly #statement: { readonly name: string; readonly text: string };

  constructor(orm: MikroORM, entity: EntityName<Row>) {
    const meta = orm.getMetadata().get(entity);
    this.#columns = new ColumnArrays<Row>(meta, ['tenant', 'sequence']);
    this.#statement = { name: `insert_${meta.tableName}`, text: this.#text(meta.tableName) };
  }

  /**
   * Writes the rows of one tenant with one entry of the journal, numbers the events in their order and sets the
   * `sequence` of each row. Expects at least one row. Fails if the tenant has no row in `journal_head`.
   */
  async run(client: ClientBase, tenant: string, kind: JournalKind, rows: readonly Row[]): Promise<void> {
    const ids = rows.map(({ id }) => id);
    const result = await client.query<{ last: string }>({
      ...this.#statement,
      values: [tenant, ids, kind, ...this.#columns.parameters(rows)],
    });
    const before = BigInt(result.rows[0]?.last ?? 0) - BigInt(rows.length);
    for (const [index, row] of rows.entries()) row.sequence = before + BigInt(index + 1);
  }

  /** Locks the journal's head first: the caller holds the lock of the tenant, and commits next. */
  #text(table: string): string {
    return `
WITH head AS (
  UPDATE journal_head SET last_sequence = last_sequence + cardinality($2::uuid[])
  WHERE tenant = $1::text RETURNING last_sequence
), entry AS (
  INSERT INTO journal (tenant, last_sequence, kind, event_ids)
  SELECT $1::text, (SELECT last_sequence FROM head), $3::smallint, $2::uuid[]
), inserted AS (
  INSERT INTO ${table} (tenant, sequence, ${this.#columns.names})
  SELECT $1::text,
    (SELECT last_sequence FROM head) - cardinality($2::uuid[]) + generate_series(1, cardinality($2::uuid[])),
    ${this.#columns.selectList(4)}
)
SELECT last_sequence AS last FROM head`;
  }
}
