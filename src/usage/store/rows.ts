/** Rows of the statement as rows of an answer. */

import { ServiceError } from '../../errors/failure.ts';
import { fillLimitExceeded, sumOutOfRange } from '../errors.ts';
import { SUM_COLUMNS, type UsageQuery, type UsageRow, type UsageSums } from '../usage.ts';
import { dimensionsOf, FILLED_ROWS_MAX } from './usage-statement.ts';

/** A row as PostgreSQL sends it: the sums that the question needs, as text, null instead of 0. */
export interface RawUsageRow extends Readonly<Record<string, unknown>> {
  readonly win: number;
  readonly measure: string;
  /** Of a filled answer: how many groups it has, but no more than one above the limit, and how many it may have. */
  readonly groups?: number;
  readonly groups_max?: number;
  /** The costs and the reported costs of each pair of currencies. */
  readonly amounts: readonly (readonly [
    currency: string,
    nanos: string | null,
    reportedCurrency: string,
    reported: string | null,
  ])[];
}

const INT64_MAX = 2n ** 63n - 1n;

/** The rows of an answer. Throws a {@link ServiceError}: `amount_out_of_range`, `scan_limit_exceeded`. */
export function usageRows(query: UsageQuery, rows: readonly RawUsageRow[]): UsageRow[] {
  const names = dimensionsOf(query).map(({ name }) => name);
  const { groups = 0, groups_max = 0 } = rows[0] ?? {};
  if (groups > groups_max) throw new ServiceError(fillLimitExceeded(FILLED_ROWS_MAX));
  return rows.map((row) => ({
    window: row.win,
    group: names.map((name) => row[name] as string | number),
    measure: BigInt(row.measure),
    sums: sumsOf(row),
    costs: amountsOf('costs', row.amounts, 0),
    reportedCosts: amountsOf('reported_costs', row.amounts, 2),
  }));
}

const NO_SUMS = Object.fromEntries(SUM_COLUMNS.map((name) => [name, 0n])) as Record<keyof UsageSums, bigint>;

function sumsOf(row: RawUsageRow): UsageSums {
  const sums = { ...NO_SUMS };
  for (const name of SUM_COLUMNS) {
    const text = row[name];
    if (typeof text !== 'string') continue;
    sums[name] = BigInt(text);
    if (sums[name] > INT64_MAX) throw new ServiceError(sumOutOfRange(name));
  }
  return sums;
}

/** Amounts without a currency are those of charges that have none. `place`: that of the currency, before its amount. */
function amountsOf(field: string, amounts: RawUsageRow['amounts'], place: 0 | 2): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const amount of amounts) {
    const code = amount[place];
    if (code !== '') sums.set(code, (sums.get(code) ?? 0n) + BigInt(amount[place + 1] ?? 0));
  }
  for (const [code, sum] of sums) {
    if (sum > INT64_MAX) throw new ServiceError(sumOutOfRange(field, code));
  }
  return new Map([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}
