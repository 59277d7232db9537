/** One caller alone: grouping must add nothing that he would notice. */

import { Auditor, expectGrowth } from '../lib/audit.ts';
import { openEmptyCallPeer, openService, serviceContender } from '../lib/contenders.ts';
import { expectAllOk } from '../lib/load/client.ts';
import { metered } from '../lib/meter.ts';
import type { Contender, Context, Scenario } from '../lib/scenario.ts';

/** At one call at a time, V8 needs so long to have seen enough of them to compile what is hot. */
const WARM_UP_SECONDS = 20;

/** p50 of one caller, against an empty call followed by the same statement with a single row. */
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
          by: 'p50',
          target: 1.15,
          stretch: 1.05,
        },
      ],
    };
  },
};

async function singleRowContender(context: Context): Promise<Contender> {
  const { environment, load, stack } = context;
  const databaseUrl = await environment.createDatabase('single_row');
  stack.defer(() => environment.dropDatabase('single_row'));
  const peer = await openEmptyCallPeer(context);
  const auditor = new Auditor(databaseUrl, environment.nats.url, undefined);
  return {
    name: 'single_row',
    settle: () => auditor.vacuum(),
    measure: async (seconds) => {
      const before = await auditor.count();
      const job = { kind: 'call-and-row', address: peer.address, databaseUrl, seconds } as const;
      const { result, cpuSeconds } = await metered(
        environment,
        { server: [peer.pid], client: load.pid },
        () => load.run(job),
      );
      expectAllOk('single_row', result);
      expectGrowth('single_row', before, await auditor.count(), result.rows, ['charges', 'journal', 'head']);
      return {
        count: result.rows,
        seconds: result.seconds,
        p50Ms: result.p50Ms,
        p99Ms: result.p99Ms,
        cpuSeconds,
      };
    },
  };
}
