/** How requests name a charge. */

import type { ChargeKey } from '../charge.ts';

/** A valid `key` of a request. */
export function chargeKeyOf(
  key: { readonly $case: 'id' | 'requestId' | 'chargeRequestId'; readonly value: string } | undefined,
): ChargeKey {
  if (key === undefined) throw new TypeError('a request without a key passed validation');
  // Upper case is a UUID too; ids are stored and compared in lower case.
  return key.$case === 'id' ? { id: key.value.toLowerCase() } : { requestId: key.value };
}
