/** The statement that writes a charge that takes the place of another one. */

import type { MikroORM } from '@mikro-orm/postgresql';
import type { ClientBase } from 'pg';

import type { ColumnArrays } from '../../database/column-arrays.ts';
import type { ChargeRow } from '../entity.ts';
import { chargeColumns } from './insert-charges.ts';

/** Made once per database. */
export class InsertReplacement {
  readonly #columns: ColumnArrays<ChargeRow>;

  constructor(orm: MikroORM) {
    this.#columns = chargeColumns(orm);
  }

  /** No entry of its own announces the charge: that of the amendment does. */
  async run(client: ClientBase, tenant: string, charge: ChargeRow): Promise<void> {
    await client.query({
      name: 'insert_replacement',
      text: `INSERT INTO charge (tenant, ${this.#columns.names}) SELECT $1::text, ${this.#columns.selectList(2)}`,
      values: [tenant, ...this.#columns.parameters([charge])],
    });
  }
}
