/** The bare unnest writer as a contender. */

import { Auditor, expectGrowth } from './audit.ts';
import { forkChild } from './child.ts';
import { peerFile } from './contenders.ts';
import { expectAllOk } from './load/client.ts';
import type { LoadMessage } from './load/jobs.ts';
import { metered } from './meter.ts';
import type { Contender, Context } from './scenario.ts';

/**
 * Writes groups of `size` rows over `connections` connections, into a database of its own; where they are
 * `published`, each row's event goes to a stream of its own, and a round ends with the last one stored.
 */
export async function unnestContender(
  context: Context,
  { connections, size, published = false }: { connections: number; size: number; published?: boolean },
): Promise<Contender> {
  const { environment, stack } = context;
  const name = published ? 'unnest_published' : 'unnest';
  const databaseUrl = await environment.createDatabase(name);
  stack.defer(() => environment.dropDatabase(name));
  const stream = published ? name : undefined;
  const broker = stream === undefined ? [] : [environment.nats.url, stream];
  const child = await forkChild(peerFile('unnest-writer.ts'), [databaseUrl, String(size), ...broker]);
  stack.defer(() => child.stop());
  const auditor = new Auditor(databaseUrl, environment.nats.url, stream);
  return {
    name,
    settle: () => auditor.vacuum(),
    measure: async (seconds) => {
      const before = await auditor.count();
      const { result, cpuSeconds } = await metered(environment, { server: [child.pid] }, async () => {
        const answer = await child.ask<LoadMessage>({ seconds, connections });
        if (answer.type !== 'result') throw new Error(`the unnest writer answered ${answer.type}`);
        return answer.result;
      });
      expectAllOk(name, result);
      const parts = published ? (['charges', 'messages'] as const) : (['charges'] as const);
      expectGrowth(name, before, await auditor.count(), result.rows, parts);
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
