/** RecordCharges: streams against batches on the same service. */

import { answeredRates, atLeast, type Scenario } from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';

const STREAMS = 2;
/** More than the server takes at once, so that its flow control decides and not the client. */
const WINDOW = 2_000;

/** Two streams against batches of 500. */
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
        { key: 'record.vs_batch', of: 'record', to: 'batch', value: answeredRates, target: atLeast(0.95, 1) },
      ],
    };
  },
};
