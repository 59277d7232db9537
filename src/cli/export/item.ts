/** Exported charges as they come from the service. */

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import type { ExportedCharge } from '../../../generated/charge/v1/charge_service.ts';
import { UsageKind } from '../../../generated/charge/v1/money.ts';

/** An exported charge that is there. */
export interface Item extends ExportedCharge {
  readonly charge: Charge;
}

/** The charges of a response. Every item has its charge. */
export function itemsOf(charges: readonly ExportedCharge[]): Item[] {
  return charges.map(({ charge, requestId }) => {
    if (!charge) throw new Error(`the service sent no charge for request id ${requestId}`);
    return { charge, requestId };
  });
}

const KINDS = new Set<number>(Object.values(UsageKind));

/** Throws an Error if the charge has something for which there is no column, because the service is newer. */
export function checkColumns({ charge }: Item): void {
  const unknown = charge.quantities.find(({ kind }) => !KINDS.has(kind));
  if (unknown)
    throw new Error(
      `charge ${charge.id} has a quantity of kind ${unknown.kind}, for which there is no column: ` +
        'this program is older than the service',
    );
}
