/** CreateCharge from one caller alone: the grouping of writes must add nothing that this caller notices. */

import { singleRowContender } from '../lib/peers.ts';
import { atMost, quotientOf, type Scenario } from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';

/** With one call at a time, V8 needs that long to compile what is hot. */
const WARM_UP_SECONDS = 20;

/** p50 against an empty call followed by the same statement as a transaction with a single row. */
export const create1: Scenario = {
  name: 'create_1',
  title: 'CreateCharge, one caller alone: p50 against an empty call and a single-row transaction',
  open: async (context) => {
    const service = await openService(context, 'create_1');
    return {
      unit: 'calls',
      warmUpSeconds: WARM_UP_SECONDS,
      contenders: [
        serviceContender(context, 'service', service, {
          kind: 'unary',
          body: { kind: 'create' },
          inFlight: 1,
          connections: 1,
        }),
        await singleRowContender(context),
      ],
      ratios: [
        {
          key: 'create_1.p50_vs_single_row',
          of: 'service',
          to: 'single_row',
          value: quotientOf(({ p50Ms = NaN }) => p50Ms),
          target: atMost(1.15, 1),
        },
      ],
    };
  },
};
