/** BatchCreateCharges: rows, against what PostgreSQL takes from Node without a service, and against Django. */

import { openService, serviceContender } from '../lib/contenders.ts';
import { djangoContender } from '../lib/django.ts';
import type { Ratio, Scenario } from '../lib/scenario.ts';
import { unnestContender } from '../lib/unnest.ts';

const SIZE = 500;
/** Two are with the two writers, two are decoded meanwhile. */
const IN_FLIGHT = 4;

/** Batches of 500. */
export const batch500: Scenario = {
  name: 'batch_500',
  title: `BatchCreateCharges of ${SIZE}, ${IN_FLIGHT} in flight, relay on`,
  open: async (context) => {
    const service = await openService(context, 'batch_500');
    const django = await djangoContender(context, 'bulk');
    const ratios: Ratio[] = [
      {
        key: 'batch_500.vs_unnest',
        of: 'service',
        to: 'unnest',
        by: 'answered',
        target: 0.85,
        stretch: 0.95,
      },
      { key: 'batch_500.drained_vs_unnest', of: 'service', to: 'unnest', by: 'rate' },
      {
        key: 'batch_500.vs_django_bulk',
        of: 'service',
        to: 'django_bulk',
        by: 'answered',
        target: 4.5,
        stretch: 6,
      },
    ];
    return {
      unit: 'rows',
      contenders: [
        serviceContender(context, 'service', service, {
          kind: 'unary',
          body: { kind: 'batch', size: SIZE },
          inFlight: IN_FLIGHT,
        }),
        await unnestContender(context, 2, SIZE),
        ...(django === undefined ? [] : [django]),
      ],
      ratios: django === undefined ? ratios.slice(0, 2) : ratios,
    };
  },
};
