/** The write statement of the service and its columns, for writers without a service. Nothing is connected. */

import { chargeEntities } from '../../src/charges/entity.ts';
import { chargeColumns, InsertCharges } from '../../src/charges/store/insert-charges.ts';
import { openDatabase } from '../../src/database/orm.ts';

const { orm } = await openDatabase({
  databaseUrl: 'postgresql://127.0.0.1/unused',
  entities: chargeEntities,
  poolSizeMax: 1,
  statementTimeoutMs: 1_000,
  connectTimeoutMs: 1_000,
  applicationName: 'bench',
});

export const INSERT = new InsertCharges(orm);
export const COLUMNS = chargeColumns(orm);
