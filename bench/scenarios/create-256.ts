/** CreateCharge under load: 256 calls in flight, everything on, the relay drained within the round. */

import { emptyCallContender, naiveContender, openService, serviceContender } from '../lib/contenders.ts';
import { djangoContender } from '../lib/django.ts';
import type { Scenario } from '../lib/scenario.ts';

const IN_FLIGHT = 256;

/** Against the transport alone, the naive service and Django's `create`. */
export const create256: Scenario = {
  name: 'create_256',
  title: `CreateCharge, ${IN_FLIGHT} calls in flight, one server process, relay on and drained`,
  open: async (context) => {
    const service = await openService(context, 'create_256');
    const django = await djangoContender(context, 'create');
    return {
      unit: 'calls',
      contenders: [
        serviceContender(context, 'service', service, {
          kind: 'unary',
          body: { kind: 'create' },
          inFlight: IN_FLIGHT,
        }),
        await emptyCallContender(context, IN_FLIGHT),
        await naiveContender(context, IN_FLIGHT),
        ...(django === undefined ? [] : [django]),
      ],
      ratios: [
        {
          key: 'create_256.vs_empty_call',
          of: 'service',
          to: 'empty_call',
          by: 'rate',
          target: 0.7,
          stretch: 0.85,
        },
        { key: 'create_256.vs_naive', of: 'service', to: 'naive', by: 'rate', target: 8, stretch: 12 },
        ...(django === undefined
          ? []
          : [
              {
                key: 'create_256.vs_django_create',
                of: 'service',
                to: django.name,
                by: 'rate',
                target: 8,
                stretch: 12,
              } as const,
            ]),
      ],
    };
  },
};
