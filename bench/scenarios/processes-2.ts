/** One setting more: two server processes on one port and one data set. */

import { openService, serviceContender } from '../lib/contenders.ts';
import type { Scenario } from '../lib/scenario.ts';

/** Enough that each process has a few, however they are dealt out. */
const CONNECTIONS = 8;
const IN_FLIGHT = 256;

/** PROCESSES=2 ÷ PROCESSES=1, relay on. */
export const processes2: Scenario = {
  name: 'processes_2',
  title: 'CreateCharge, 256 calls in flight: two server processes against one',
  open: async (context) => {
    context.note('database, relay, nats-server and the client share the cores with the server processes');
    const shape = {
      kind: 'unary',
      body: { kind: 'create' },
      inFlight: IN_FLIGHT,
      connections: CONNECTIONS,
    } as const;
    const one = await openService(context, 'processes_1');
    const two = await openService(context, 'processes_2', { PROCESSES: '2' });
    return {
      unit: 'calls',
      contenders: [
        serviceContender(context, 'two', two, shape),
        serviceContender(context, 'one', one, shape),
      ],
      ratios: [{ key: 'processes_2.vs_1', of: 'two', to: 'one', by: 'rate', target: 1.2, stretch: 1.4 }],
    };
  },
};
