/** CreateCharge under load: everything on, and the relay drained within the round. */

import { djangoContender } from '../lib/django.ts';
import {
  delayedEchoCallContender,
  echoCallContender,
  emptyCallContender,
  naiveContender,
} from '../lib/peers.ts';
import { atLeast, atMost, rates, type Scenario, serverMicrosOf } from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';

const IN_FLIGHT = 256;

/** Against the transport alone, the naive service and Django's `create`. */
export const create256: Scenario = {
  name: 'create_256',
  title: `CreateCharge, ${IN_FLIGHT} calls in flight, one server process, relay on and drained`,
  open: async (context) => {
    const service = await openService(context, 'create_256');
    return {
      unit: 'calls',
      contenders: [
        serviceContender(context, 'service', service, {
          kind: 'unary',
          body: { kind: 'create' },
          inFlight: IN_FLIGHT,
        }),
        await emptyCallContender(context, IN_FLIGHT),
        await echoCallContender(context, IN_FLIGHT),
        await delayedEchoCallContender(context, IN_FLIGHT),
        await naiveContender(context, IN_FLIGHT),
        ...(await djangoContender(context, 'create')),
      ],
      ratios: [
        {
          key: 'create_256.vs_empty_call',
          of: 'service',
          to: 'empty_call',
          value: rates,
          target: atLeast(0.42, 0.55),
        },
        {
          key: 'create_256.server_us_above_empty_call',
          of: 'service',
          to: 'empty_call',
          value: (service, emptyCall) => serverMicrosOf(service) - serverMicrosOf(emptyCall),
          target: atMost(25, 15),
        },
        {
          key: 'create_256.server_us_above_echo_call',
          of: 'service',
          to: 'echo_call',
          value: (service, echoCall) => serverMicrosOf(service) - serverMicrosOf(echoCall),
        },
        {
          key: 'create_256.server_us_above_delayed_echo_call',
          of: 'service',
          to: 'delayed_echo_call',
          value: (service, echoCall) => serverMicrosOf(service) - serverMicrosOf(echoCall),
        },
        { key: 'create_256.vs_naive', of: 'service', to: 'naive', value: rates, target: atLeast(9, 12) },
        {
          key: 'create_256.vs_django_create',
          of: 'service',
          to: 'django_create',
          value: rates,
          target: atLeast(4, 6),
        },
      ],
    };
  },
};
