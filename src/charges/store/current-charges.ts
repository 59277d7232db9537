/** Charges as they are now: with their correction and their latest cost. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { microsFromTimestamptz } from '../../database/types/micros.ts';
import { CHARGE_STATE } from '../charge.ts';
import { COST_COLUMNS } from '../cost-columns.ts';
import { ChargeEntity, type ChargeRow } from '../entity.ts';
import type { Condition } from './charge-conditions.ts';

/** SQL of a cost column of a charge as it is now, if `latest` is its latest revision. */
export function currentCost(column: (typeof COST_COLUMNS)[number]): string {
  return `CASE WHEN latest.charge_id IS NULL THEN charge.${column} ELSE latest.${column} END`;
}

/** For WHERE: the charge counts. OFFSET 0 makes it a look-up for each row: as a join, it could change their order. */
export const IS_ACTIVE: Condition = {
  sql: `NOT EXISTS (SELECT FROM correction
    WHERE correction.tenant = charge.tenant AND correction.charge_id = charge.id OFFSET 0)`,
  values: [],
};

/**
 * A select list and joins that add what was recorded later to rows of `charge`. Both tables are looked up by their
 * primary keys. Of two columns with one name, `pg` takes the last: the current cost replaces the recorded one.
 */
export const CURRENT_COLUMNS = `charge.*,
  ${COST_COLUMNS.map((column) => `${currentCost(column)} AS ${column}`).join(',\n  ')},
  correction.state AS current_state,
  correction.replacement_id AS current_replaced_by,
  greatest(charge.create_time, correction.create_time, latest.create_time) AS current_update_time,
  latest.revision AS current_revision`;
export const CURRENT_JOINS = `
  LEFT JOIN correction ON correction.tenant = charge.tenant AND correction.charge_id = charge.id
  LEFT JOIN LATERAL (
    SELECT * FROM cost_revision AS r WHERE r.tenant = charge.tenant AND r.charge_id = charge.id
    ORDER BY revision DESC LIMIT 1
  ) AS latest ON true`;

/** The columns of {@link CURRENT_COLUMNS} that `charge` does not have. */
interface CurrentColumns {
  readonly current_state: number | null;
  readonly current_replaced_by: string | null;
  readonly current_update_time: string;
  readonly current_revision: number | null;
}

/** Charges of rows with {@link CURRENT_COLUMNS}. */
export function mapCurrentCharges(em: EntityManager, rows: readonly object[]): ChargeRow[] {
  const charges = mapRows(em, ChargeEntity, rows);
  for (const [index, charge] of charges.entries()) addStatus(charge, rows[index] as CurrentColumns);
  return charges;
}

function addStatus(charge: ChargeRow, row: CurrentColumns): void {
  if (row.current_state === null && row.current_revision === null) return;
  charge.status = {
    state: row.current_state ?? CHARGE_STATE.active,
    replacedBy: row.current_replaced_by ?? '',
    revision: row.current_revision ?? 0,
    updateTimeMicros: microsFromTimestamptz(row.current_update_time),
  };
}
