/** BatchCreateCharges: rows, against what PostgreSQL takes from Node without a service, and against Django. */

import { djangoContender } from '../lib/django.ts';
import { unnestContender } from '../lib/peers.ts';
import { answeredRates, atLeast, rates, type Scenario } from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';

const SIZE = 500;
/** Two are being written, two are decoded meanwhile. */
const IN_FLIGHT = 4;

/** Batches of 500. */
export const batch500: Scenario = {
  name: 'batch_500',
  title: `BatchCreateCharges of ${SIZE}, ${IN_FLIGHT} in flight, relay on`,
  open: async (context) => {
    const service = await openService(context, 'batch_500');
    return {
      unit: 'rows',
      contenders: [
        serviceContender(context, 'service', service, {
          kind: 'unary',
          body: { kind: 'batch', size: SIZE },
          inFlight: IN_FLIGHT,
        }),
        await unnestContender(context, SIZE, false),
        await unnestContender(context, SIZE, true),
        ...(await djangoContender(context, 'bulk')),
      ],
      ratios: [
        {
          key: 'batch_500.vs_unnest_published',
          of: 'service',
          to: 'unnest_published',
          value: rates,
          target: atLeast(0.95, 1.05),
        },
        { key: 'batch_500.vs_unnest', of: 'service', to: 'unnest', value: answeredRates },
        { key: 'batch_500.vs_django_bulk', of: 'service', to: 'django_bulk', value: answeredRates },
      ],
    };
  },
};
