/** Charges as they are now: with their correction and their latest cost. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { microsFromTimestamptz } from '../../database/types/micros.ts';
import { CHARGE_STATE } from '../charge.ts';
import { ChargeEntity, type ChargeRow } from '../entity.ts';

/**
 * A select list and joins that add what was recorded later to rows of `charge`. Both tables are looked up by their
 * primary keys.
 */
export const CURRENT_COLUMNS = `charge.*,
  correction.state AS current_state,
  correction.replacement_id AS current_replaced_by,
  greatest(charge.create_time, correction.create_time, latest.create_time) AS current_update_time,
  latest.revision AS current_revision,
  latest.cost_nanos AS current_cost_nanos,
  latest.cost_currency AS current_cost_currency,
  latest.price_version AS current_price_version,
  latest.unpriced_reason AS current_unpriced_reason,
  latest.unpriced_kinds AS current_unpriced_kinds`;
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
  readonly current_cost_nanos: string | null;
  readonly current_cost_currency: string | null;
  readonly current_price_version: number | null;
  readonly current_unpriced_reason: number | null;
  readonly current_unpriced_kinds: number | null;
}

/** Charges of rows with {@link CURRENT_COLUMNS}. */
export function mapCurrentCharges(em: EntityManager, rows: readonly object[]): ChargeRow[] {
  const charges = mapRows(em, ChargeEntity, rows);
  for (const [index, charge] of charges.entries()) addCurrent(charge, rows[index] as CurrentColumns);
  return charges;
}

function addCurrent(charge: ChargeRow, row: CurrentColumns): void {
  if (row.current_state === null && row.current_revision === null) return;
  charge.status = {
    state: row.current_state ?? CHARGE_STATE.active,
    replacedBy: row.current_replaced_by ?? '',
    revision: row.current_revision ?? 0,
    updateTimeMicros: microsFromTimestamptz(row.current_update_time),
  };
  if (row.current_revision === null) return;
  charge.costNanos = row.current_cost_nanos === null ? undefined : BigInt(row.current_cost_nanos);
  charge.costCurrency = row.current_cost_currency ?? '';
  charge.priceVersion = row.current_price_version ?? 0;
  charge.unpricedReason = row.current_unpriced_reason ?? 0;
  charge.unpricedKinds = row.current_unpriced_kinds ?? 0;
}
