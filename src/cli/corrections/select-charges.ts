/** Finds the charges that a command is about to correct. */

import type { GetChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import { chargeOf, chargesOfImport } from '../lists.ts';
import type { Session } from '../session.ts';
import { Selection } from './selection.ts';
import type { VoidOptions } from './flags.ts';

/** Charges that are looked up at a time. */
const LOOKUPS_MAX = 64;

/** The charges that the options name. `missing`: ids that no charge has. */
export async function selectCharges(
  { ids, requestIds, importId }: VoidOptions,
  session: Session,
): Promise<{ selection: Selection; missing: string[] }> {
  const selection = new Selection();
  const missing: string[] = [];
  if (importId !== undefined)
    for await (const charge of chargesOfImport(session, importId)) selection.add(charge);
  const keys: NonNullable<GetChargeRequest['key']>[] = [
    ...ids.map((value) => ({ $case: 'id', value }) as const),
    ...requestIds.map((value) => ({ $case: 'requestId', value }) as const),
  ];
  for (let start = 0; start < keys.length; start += LOOKUPS_MAX) {
    const some = keys.slice(start, start + LOOKUPS_MAX);
    const charges = await Promise.all(some.map((key) => chargeOf(session, key)));
    charges.forEach((charge, index) => {
      if (!charge) missing.push(some[index]?.value ?? '');
      else selection.add(charge);
    });
  }
  return { selection, missing };
}
