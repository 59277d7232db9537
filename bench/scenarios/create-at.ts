/** How cost grows: the same calls with 0.1, 1 and 10 million charges already stored. */

import { serviceContender } from '../lib/contenders.ts';
import { fillCharges } from '../lib/fill.ts';
import { bytesPerCharge, readFootprint } from '../lib/footprint.ts';
import type { Contender, Context, Scenario } from '../lib/scenario.ts';
import { startService } from '../lib/service.ts';

const SIZES = [
  { name: 'at_100k', charges: 100_000 },
  { name: 'at_1m', charges: 1_000_000 },
  { name: 'at_10m', charges: 10_000_000 },
] as const;
const QUICK_CHARGES_MAX = 1_000_000;

/**
 * After a checkpoint the first change of each page writes the whole page to the log. With random
 * request ids nearly every row of a big index meets a page for the first time then, which in real
 * life happens for a while every few minutes and here would last for the whole measurement.
 */
const WARM_UP_BATCH_SECONDS = 8;
const QUICK_WARM_UP_BATCH_SECONDS = 2;

/** Throughput at 10 million ÷ at 0.1 million. */
export const createAt: Scenario = {
  name: 'create_at',
  title: 'CreateCharge, 256 calls in flight, with many charges already stored',
  open: async (context) => {
    const sizes = SIZES.filter(({ charges }) => !context.quick || charges <= QUICK_CHARGES_MAX);
    const contenders: Contender[] = [];
    for (const { name, charges } of sizes) contenders.push(await openAt(context, name, charges));
    context.note(
      'filled by SQL; then each was warmed up with batches until most index pages had been changed since the checkpoint',
    );
    return {
      unit: 'calls',
      contenders,
      ratios: [
        { key: 'create_at_1m.vs_at_100k', of: 'at_1m', to: 'at_100k', by: 'rate' },
        ...(context.quick
          ? []
          : [
              {
                key: 'create_at_10m.vs_at_100k',
                of: 'at_10m',
                to: 'at_100k',
                by: 'rate',
                target: 0.85,
                stretch: 0.95,
              } as const,
            ]),
      ],
    };
  },
};

async function openAt(context: Context, name: string, charges: number): Promise<Contender> {
  const { environment, load, stack, quick } = context;
  const databaseUrl = await environment.createDatabase(name);
  stack.defer(() => environment.dropDatabase(name));
  await fillCharges(databaseUrl, charges, true);
  const filled = await readFootprint(databaseUrl);
  context.report(`bytes_per_charge_filled_${name}`, bytesPerCharge(filled));
  const service = await startService(environment, { databaseUrl });
  stack.defer(() => service.stop());
  const batches = { kind: 'unary', body: { kind: 'batch', size: 500 }, inFlight: 4 } as const;
  await serviceContender({ ...context, load }, name, service, batches).measure(
    quick ? QUICK_WARM_UP_BATCH_SECONDS : WARM_UP_BATCH_SECONDS,
  );
  // Indexes made in one go are denser than writes leave them, and the first writes split their pages:
  // what one charge costs lies between the two.
  const written = await readFootprint(databaseUrl);
  context.report(`bytes_per_charge_written_${name}`, bytesPerCharge(written, filled));
  return serviceContender(context, name, service, { kind: 'unary', body: { kind: 'create' }, inFlight: 256 });
}
