/** BatchCreateCharges: rows, against what PostgreSQL takes from Node without a service, and against Django. */

import { openService, serviceContender } from '../lib/contenders.ts';
import { djangoContender } from '../lib/django.ts';
import type { Ratio, Scenario } from '../lib/scenario.ts';
import { unnestContender } from '../lib/unnest.ts';

const SIZE = 500;
/** Two are with the two writers, two are decoded meanwhile. */
const IN_FLIGHT = 4;
/** Nobody listens there: events stay in the journal. */
const NO_BROKER = 'nats://127.0.0.1:1';

/** Batches of 500. */
export const batch500: Scenario = {
  name: 'batch_500',
  title: `BatchCreateCharges of ${SIZE}, ${IN_FLIGHT} in flight, relay on`,
  open: async (context) => {
    const service = await openService(context, 'batch_500');
    const unpublished = await openService(context, 'batch_500_unpublished', { NATS_URL: NO_BROKER });
    const shape = {
      kind: 'unary',
      body: { kind: 'batch', size: SIZE },
      inFlight: IN_FLIGHT,
    } as const;
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
      // What of a miss is the price of announcing each row at all, and what is the service's own.
      { key: 'batch_500.drained_vs_unnest_published', of: 'service', to: 'unnest_published', by: 'rate' },
      { key: 'batch_500.unpublished_vs_unnest', of: 'unpublished', to: 'unnest', by: 'rate' },
      { key: 'batch_500.unnest_published_vs_unnest', of: 'unnest_published', to: 'unnest', by: 'rate' },
      {
        key: 'batch_500.vs_django_bulk',
        of: 'service',
        to: 'django_bulk',
        by: 'answered',
        target: 4.5,
        stretch: 6,
      },
      { key: 'batch_500.unnest_vs_django_bulk', of: 'unnest', to: 'django_bulk', by: 'rate' },
    ];
    return {
      unit: 'rows',
      contenders: [
        serviceContender(context, 'service', service, shape),
        serviceContender(context, 'unpublished', unpublished, shape, { published: false }),
        await unnestContender(context, { connections: 2, size: SIZE }),
        await unnestContender(context, { connections: 2, size: SIZE, published: true }),
        ...(django === undefined ? [] : [django]),
      ],
      ratios: ratios.filter(({ to }) => django !== undefined || to !== 'django_bulk'),
    };
  },
};
