/** The statements that write corrections, and the charges that take the place of others. */

import type { MikroORM } from '@mikro-orm/postgresql';
import type { ClientBase } from 'pg';

import { ColumnArrays } from '../../database/column-arrays.ts';
import { appendEvents, type JournalKind, NUMBERS } from '../../journal/index.ts';
import { CorrectionEntity, type CorrectionRow } from '../correction-entities.ts';
import type { ChargeRow } from '../entity.ts';
import { chargeColumns } from './insert-charges.ts';

/** Made once per database. */
export class InsertCorrections {
  readonly #corrections: ColumnArrays<CorrectionRow>;
  readonly #charges: ColumnArrays<ChargeRow>;

  constructor(orm: MikroORM) {
    this.#corrections = new ColumnArrays<CorrectionRow>(orm.getMetadata().get(CorrectionEntity), [
      'tenant',
      'sequence',
    ]);
    this.#charges = chargeColumns(orm);
  }

  /** Writes corrections of one kind with their entry in the journal, and sets their `sequence`. Expects at least one. */
  async corrections(
    client: ClientBase,
    tenant: string,
    kind: JournalKind,
    rows: readonly CorrectionRow[],
  ): Promise<void> {
    const ids = rows.map(({ id }) => id);
    const result = await client.query<{ last: string }>({
      name: 'insert_corrections',
      text: `
WITH ${appendEvents('$3::smallint')}, inserted AS (
  INSERT INTO correction (tenant, sequence, ${this.#corrections.names})
  SELECT $1::text, ${NUMBERS}, ${this.#corrections.selectList(4)}
)
SELECT last_sequence AS last FROM head`,
      values: [tenant, ids, kind, ...this.#corrections.parameters(rows)],
    });
    const before = BigInt(result.rows[0]?.last ?? 0) - BigInt(rows.length);
    for (const [index, row] of rows.entries()) row.sequence = before + BigInt(index + 1);
  }

  /** Writes a charge that takes the place of another one. No entry of its own announces it. */
  async replacement(client: ClientBase, tenant: string, charge: ChargeRow): Promise<void> {
    await client.query({
      name: 'insert_replacement',
      text: `INSERT INTO charge (tenant, ${this.#charges.names}) SELECT $1::text, ${this.#charges.selectList(2)}`,
      values: [tenant, ...this.#charges.parameters([charge])],
    });
  }
}
