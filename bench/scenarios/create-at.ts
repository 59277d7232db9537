/** How cost grows: the same calls with 0.1, 1 and 10 million charges already stored. */

import { openDatabase } from '../lib/contender.ts';
import { bytesPerCharge, fillCharges } from '../lib/fill.ts';
import { priceRequests } from '../lib/price-list.ts';
import { addPrices, openPriceClient } from '../lib/prices.ts';
import { atLeast, atMost, type Contender, type Context, rates, type Scenario } from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';

const SIZES = [
  { name: 'at_100k', charges: 100_000 },
  { name: 'at_1m', charges: 1_000_000 },
  { name: 'at_10m', charges: 10_000_000 },
] as const;
const QUICK_CHARGES_MAX = 1_000_000;

/**
 * PostgreSQL writes a whole page to its log when the page changes for the first time after a checkpoint.
 * With random request ids nearly every row of a large index changes another page. A service in use has
 * that for a short time every few minutes; here it would last for the whole measurement.
 */
const WARM_UP_BATCH_SECONDS = 8;
const QUICK_WARM_UP_BATCH_SECONDS = 2;

/** Calls per second with 10 million charges stored, against 0.1 million. */
export const createAt: Scenario = {
  name: 'create_at',
  title: 'CreateCharge, 256 calls in flight, with many charges already stored',
  open: async (context) => {
    const sizes = SIZES.filter(({ charges }) => !context.quick || charges <= QUICK_CHARGES_MAX);
    const contenders: Contender[] = [];
    for (const { name, charges } of sizes) contenders.push(await openAt(context, name, charges));
    context.note('filled by SQL, a charge a millisecond; then warmed up with batches');
    return {
      unit: 'calls',
      contenders,
      ratios: [
        { key: 'create_at_1m.vs_at_100k', of: 'at_1m', to: 'at_100k', value: rates },
        {
          key: 'create_at_10m.vs_at_100k',
          of: 'at_10m',
          to: 'at_100k',
          value: rates,
          target: atLeast(0.9, 1),
        },
      ],
    };
  },
};

async function openAt(context: Context, name: string, charges: number): Promise<Contender> {
  const databaseUrl = await openDatabase(context, name);
  await fillCharges(databaseUrl, charges, true);
  context.report(`bytes_per_charge_filled_${name}`, {
    value: await bytesPerCharge(databaseUrl),
    target: charges >= 1_000_000 ? atMost(450, 300) : undefined,
  });
  const service = await openService(context, name, { databaseUrl });
  await addPrices(openPriceClient(context, service.address), priceRequests());
  const batches = { kind: 'unary', body: { kind: 'batch', size: 500 }, inFlight: 4 } as const;
  await serviceContender(context, name, service, batches).measure(
    context.quick ? QUICK_WARM_UP_BATCH_SECONDS : WARM_UP_BATCH_SECONDS,
  );
  return serviceContender(context, name, service, { kind: 'unary', body: { kind: 'create' }, inFlight: 256 });
}
