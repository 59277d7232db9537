/** What it costs to know the cost: the same service with the prices of a catalogue, and without prices. */

import { countCosts } from '../lib/audit.ts';
import { bytesPerCharge } from '../lib/fill.ts';
import { priceRequests } from '../lib/price-list.ts';
import { addPrices, openPriceClient } from '../lib/prices.ts';
import {
  atLeast,
  atMost,
  type Contender,
  type Context,
  type Ratio,
  rates,
  type Scenario,
} from '../lib/scenario.ts';
import { openService, serviceContender, type Shape } from '../lib/service-contender.ts';

/** CreateCharge. */
export const priced256 = pricedScenario(
  'priced_256',
  'CreateCharge, 256 calls in flight: with 1,500 prices and without any',
  { kind: 'unary', body: { kind: 'create' }, inFlight: 256 },
  { key: 'create_256.priced_vs_unpriced', target: atLeast(0.97, 1) },
);

/** Batches of 500. */
export const priced500 = pricedScenario(
  'priced_500',
  'BatchCreateCharges of 500, 4 in flight: with 1,500 prices and without any',
  { kind: 'unary', body: { kind: 'batch', size: 500 }, inFlight: 4 },
  { key: 'batch_500.priced_vs_unpriced', target: atLeast(0.93, 0.97) },
);

function pricedScenario(
  name: string,
  title: string,
  shape: Shape,
  ratio: Pick<Ratio, 'key' | 'target'>,
): Scenario {
  return {
    name,
    title,
    open: async (context) => ({
      unit: 'rows',
      contenders: [
        await openSide(context, name, 'priced', shape),
        await openSide(context, name, 'unpriced', shape),
      ],
      ratios: [{ ...ratio, of: 'priced', to: 'unpriced', value: rates }],
    }),
  };
}

/** A round counts only if each of its charges has a cost, or has none. */
async function openSide(
  context: Context,
  scenario: string,
  side: 'priced' | 'unpriced',
  shape: Shape,
): Promise<Contender> {
  const service = await openService(context, `${scenario}_${side}`);
  const { databaseUrl } = service;
  if (side === 'priced') await addPrices(openPriceClient(context, service.address), priceRequests());
  const inner = serviceContender(context, side, service, shape, () => countCosts(databaseUrl, side));
  return {
    ...inner,
    measure: async (seconds) => {
      const measurement = await inner.measure(seconds);
      context.report(`${scenario}.bytes_per_charge_${side}`, {
        value: await bytesPerCharge(databaseUrl),
        target: atMost(450, 300),
      });
      return measurement;
    },
  };
}
