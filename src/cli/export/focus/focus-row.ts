/** A row of the FOCUS dataset Cost and Usage. A charge has one for each line of its cost. */

import { CostStatus, type CostLine } from '../../../../generated/charge/v1/money.ts';
import { ChargeType } from '../../../../generated/charge/v1/charge.ts';
import type { Item } from '../item.ts';
import { decimalText } from '../../money.ts';
import type { LabelOf } from './labels.ts';
import { meterOf, type Meter } from './meters.ts';

/** What the columns of a row are made of. */
export interface FocusRow {
  readonly item: Item;
  /** `ServiceProviderName`. */
  readonly provider: string;
  /** `ServiceName`. */
  readonly service: string;
  readonly isGenerativeAi: boolean;
  readonly line: CostLine | undefined;
  readonly meter: Meter | undefined;
  /** In the currency of the cost, exact. Empty: the charge is UNPRICED. */
  readonly cost: string;
  readonly currency: string;
}

/** The rows of a charge. Their costs add up to its cost. Without lines, it has one row. */
export function focusRows(item: Item, labelOf: LabelOf): FocusRow[] {
  const { charge } = item;
  const { cost } = charge;
  const base = {
    item,
    provider: charge.otherProvider || labelOf('Provider', charge.provider),
    service: labelOf('ChargeType', charge.chargeType),
    isGenerativeAi: charge.chargeType === ChargeType.CHARGE_TYPE_COMPLETION,
    currency: cost?.amount?.currencyCode ?? '',
  };
  const lines = cost?.lines ?? [];
  if (cost?.status !== CostStatus.COST_STATUS_PRICED || !cost.amount || lines.length === 0) {
    const text = cost?.amount ? decimalText(cost.amount.nanos, 9) : '';
    return [{ ...base, line: undefined, meter: undefined, cost: text }];
  }
  return lines.map((line) => ({
    ...base,
    line,
    meter: meterOf(line.kind),
    cost: decimalText(line.nanos, 9),
  }));
}
