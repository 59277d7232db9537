/** Converts between messages of `charge.v1` and the domain's prices and costs. Nothing else does. */

import {
  type Cost as ProtoCost,
  type CostLine as ProtoCostLine,
  CostStatus,
  UnpricedReason,
  type UsageKind,
} from '../../generated/charge/v1/money.ts';
import type { Cost, CostLine } from './price.ts';

const NO_LINES: ProtoCostLine[] = [];

/** The message of a cost that was repriced `revision` times. `lines` explain it. */
export function toProtoCost(cost: Cost, revision: number, lines: readonly CostLine[] = []): ProtoCost {
  const { costNanos: nanos, costCurrency: currencyCode } = cost;
  return {
    status: nanos === undefined ? CostStatus.COST_STATUS_UNPRICED : CostStatus.COST_STATUS_PRICED,
    amount: nanos === undefined ? undefined : { currencyCode, nanos },
    priceVersion: BigInt(cost.priceVersion),
    revision,
    unpricedReason: cost.unpricedReason as UnpricedReason,
    unpricedKinds: kindsOf(cost.unpricedKinds),
    lines: lines.length === 0 ? NO_LINES : lines.map((line) => ({ ...line, kind: line.kind as UsageKind })),
  };
}

const UNPRICED_REASON_LABELS = new Map<number, string>(
  Object.entries(UnpricedReason).map(([name, number]) => [
    number,
    name.replace('UNPRICED_REASON_', '').toLowerCase(),
  ]),
);

/** A reason as metrics name it: `no_price`, `missing_rate`. */
export function unpricedReasonLabel(reason: number): string {
  return UNPRICED_REASON_LABELS.get(reason) ?? 'unknown';
}

/** The kinds of a set of bits. */
export function kindsOf(bits: number): UsageKind[] {
  const kinds: UsageKind[] = [];
  for (let kind = 1; bits >>> kind !== 0; kind++) if ((bits >>> kind) & 1) kinds.push(kind as UsageKind);
  return kinds;
}
