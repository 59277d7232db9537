/**
 * Adds up a time range as of a sequence of the journal, for each user profile and currency:
 *
 *   npx node examples/total-as-of.mjs 127.0.0.1:50051 42 2026-10-01T00:00:00Z 2026-11-01T00:00:00Z
 *
 * Arguments: the address, the sequence, and the start (inclusive) and end (exclusive) of the usage time. The same
 * arguments always print the same. It reads the journal from its beginning; a program that keeps its totals would go
 * on from the last sequence that it has counted.
 */

import { credentials } from '@grpc/grpc-js';
import { ChargeServiceClient } from '../generated/charge/v1/charge_service.ts';

const [address, sequence, start, end] = process.argv.slice(2);
if (end === undefined) {
  console.error('usage: total-as-of.mjs ADDRESS SEQUENCE START END');
  process.exit(2);
}

/** By user profile and currency: { nanos, charges, unpriced }. */
const totals = new Map();

/** Adds a charge (sign 1) or takes it away (sign -1). Nanos are bigints: a double would round them. */
function count(charge, cost, sign) {
  const usageTimeMs = Number(charge.usageTime.seconds) * 1000 + Math.trunc(charge.usageTime.nanos / 1e6);
  if (usageTimeMs < Date.parse(start) || usageTimeMs >= Date.parse(end)) return;
  // A charge without a cost is counted apart. It is not free.
  const key = JSON.stringify([charge.userProfile, cost.amount?.currencyCode ?? '']);
  const total = totals.get(key) ?? { nanos: 0n, charges: 0 };
  total.nanos += BigInt(sign) * (cost.amount?.nanos ?? 0n);
  total.charges += sign;
  totals.set(key, total);
}

/** What each kind of event does to a total. Other kinds do nothing. */
const rules = {
  chargeCreated: ({ charge }) => count(charge, charge.cost, 1),
  chargeVoided: ({ charge }) => count(charge, charge.cost, -1),
  chargeAmended: ({ charge, original }) => {
    count(original, original.cost, -1);
    count(charge, charge.cost, 1);
  },
  chargeRepriced: ({ charge, previousCost }) => {
    count(charge, previousCost, -1);
    count(charge, charge.cost, 1);
  },
};

const client = new ChargeServiceClient(address, credentials.createInsecure());
const journal = client.watchCharges({ startSequence: 1n });
let last = 0n;
for await (const { event } of journal) {
  // An event of a kind that this program does not know has the next number, too.
  last = event?.value.sequence ?? last + 1n;
  rules[event?.$case]?.(event.value);
  if (last >= BigInt(sequence)) break;
}
journal.on('error', () => undefined).cancel();
client.close();

for (const [key, { nanos, charges }] of [...totals].sort()) {
  if (charges === 0) continue;
  const [userProfile, currency] = JSON.parse(key);
  const units = `${nanos / 10n ** 9n}.${String(nanos % 10n ** 9n).padStart(9, '0')}`.replace(/\.?0+$/, '');
  console.log(`${userProfile}: ${charges} charges, ${currency === '' ? 'UNPRICED' : `${units} ${currency}`}`);
}
