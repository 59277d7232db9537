/** CreateCharge under moderate load: how long a caller waits. */

import { emptyCallContender } from '../lib/peers.ts';
import { atMost, quotientOf, type Scenario } from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';

const IN_FLIGHT = 64;

/** p99 against that of the empty call. */
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
          value: quotientOf(({ p99Ms = NaN }) => p99Ms),
          target: atMost(1.5, 1.2),
        },
      ],
    };
  },
};
