/** RecordCharges: streams against batches on the same service. */

import { openService, serviceContender } from '../lib/contenders.ts';
import type { Scenario } from '../lib/scenario.ts';

const STREAMS = 2;
/** Above the server's own window, so that flow control and not the client decides. */
const WINDOW = 2_000;

/** Two streams, ÷ batches of 500. */
export const record: Scenario = {
  name: 'record',
  title: `RecordCharges, ${STREAMS} streams, against BatchCreateCharges of 500`,
  open: async (context) => {
    const service = await openService(context, 'record');
    return {
      unit: 'rows',
      contenders: [
        serviceContender(context, 'record', service, { kind: 'record', streams: STREAMS, window: WINDOW }),
        serviceContender(context, 'batch', service, {
          kind: 'unary',
          body: { kind: 'batch', size: 500 },
          inFlight: 4,
        }),
      ],
      ratios: [
        { key: 'record.vs_batch', of: 'record', to: 'batch', by: 'answered', target: 0.9, stretch: 1 },
      ],
    };
  },
};
