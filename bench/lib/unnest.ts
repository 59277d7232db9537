/** The bare unnest writer as a contender. */

import { Auditor, expectGrowth } from './audit.ts';
import { forkChild } from './child.ts';
import { peerFile } from './contenders.ts';
import { expectAllOk } from './load/client.ts';
import type { LoadMessage } from './load/jobs.ts';
import { metered } from './meter.ts';
import type { Contender, Context } from './scenario.ts';

/** Writes groups of `size` rows over `connections` connections, into a database of its own. */
export async function unnestContender(
  context: Context,
  connections: number,
  size: number,
): Promise<Contender> {
  const { environment, stack } = context;
  const databaseUrl = await environment.createDatabase('unnest');
  stack.defer(() => environment.dropDatabase('unnest'));
  const child = await forkChild(peerFile('unnest-writer.ts'), [databaseUrl]);
  stack.defer(() => child.stop());
  const auditor = new Auditor(databaseUrl, environment.nats.url, undefined);
  return {
    name: 'unnest',
    settle: () => auditor.vacuum(),
    measure: async (seconds) => {
      const before = await auditor.count();
      const { result, cpuSeconds } = await metered(environment, { server: [child.pid] }, async () => {
        const answer = await child.ask<LoadMessage>({ seconds, connections, size });
        if (answer.type !== 'result') throw new Error(`the unnest writer answered ${answer.type}`);
        return answer.result;
      });
      expectAllOk('unnest', result);
      expectGrowth('unnest', before, await auditor.count(), result.rows, ['charges']);
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
