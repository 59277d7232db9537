/** Two server processes on one port and one database, against one. */

import { atLeast, rates, type Scenario } from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';

/** Enough that each process gets a few, however they are shared out. */
const CONNECTIONS = 8;
const IN_FLIGHT = 256;

/** PROCESSES=2 against PROCESSES=1, relay on. */
export const processes2: Scenario = {
  name: 'processes_2',
  title: `CreateCharge, ${IN_FLIGHT} calls in flight: two server processes against one`,
  open: async (context) => {
    context.note('database, relay, nats-server and client share the cores with the server processes');
    const shape = {
      kind: 'unary',
      body: { kind: 'create' },
      inFlight: IN_FLIGHT,
      connections: CONNECTIONS,
    } as const;
    const one = await openService(context, 'processes_1');
    const two = await openService(context, 'processes_2', { env: { PROCESSES: '2' } });
    return {
      unit: 'calls',
      contenders: [
        serviceContender(context, 'two', two, shape),
        serviceContender(context, 'one', one, shape),
      ],
      ratios: [{ key: 'processes_2.vs_1', of: 'two', to: 'one', value: rates, target: atLeast(1.15, 1.4) }],
    };
  },
};
