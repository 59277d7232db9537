/** CreateCharge at a moderate load: what a caller waits for, against the empty call. */

import { emptyCallContender, openService, serviceContender } from '../lib/contenders.ts';
import type { Scenario } from '../lib/scenario.ts';

const IN_FLIGHT = 64;

/** p99 with 64 calls in flight. */
export const create64: Scenario = {
  name: 'create_64',
  title: `CreateCharge, ${IN_FLIGHT} calls in flight: p99`,
  open: async (context) => {
    const service = await openService(context, 'create_64');
    return {
      unit: 'calls',
      contenders: [
        serviceContender(context, 'service', service, {
          kind: 'unary',
          body: { kind: 'create' },
          inFlight: IN_FLIGHT,
        }),
        await emptyCallContender(context, IN_FLIGHT),
      ],
      ratios: [
        {
          key: 'create_64.p99_vs_empty_call',
          of: 'service',
          to: 'empty_call',
          by: 'p99',
          target: 1.5,
          stretch: 1.2,
        },
      ],
    };
  },
};
