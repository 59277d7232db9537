/** Memory of a server process under ten thousand calls, and under callers that never read. */

import { openService, serviceContender } from '../lib/contenders.ts';
import { fillCharges } from '../lib/fill.ts';
import { watchMemory } from '../lib/memory.ts';
import type { Contender, Context, Measurement, Scenario } from '../lib/scenario.ts';
import { type Service, startService } from '../lib/service.ts';

const CALLS_IN_FLIGHT = 10_000;
const CONNECTIONS = 20;
const BOOK = 200_000;
/** Their windows of 1,000 are together four times what all streams may have in hand, which slows them down. */
const RECORD_STREAMS = 100;
const WATCH_STREAMS = 100;

/** Peaks of resident memory; a server process that did not bound what it holds would show it here. */
export const memory: Scenario = {
  name: 'memory',
  title: 'resident memory of the server process',
  open: async (context) => ({
    unit: 'calls',
    contenders: [await callsInFlight(context), await slowStreams(context)],
    ratios: [],
    warmUpSeconds: 1,
  }),
};

async function callsInFlight(context: Context): Promise<Contender> {
  const service = await openService(context, 'memory_calls');
  const load = serviceContender(context, 'calls_10k', service, {
    kind: 'unary',
    body: { kind: 'create' },
    inFlight: CALLS_IN_FLIGHT,
    connections: CONNECTIONS,
  });
  return reporting(context, load, service, `memory.${CALLS_IN_FLIGHT}_calls_in_flight`);
}

async function slowStreams(context: Context): Promise<Contender> {
  const { environment, load, stack } = context;
  const databaseUrl = await environment.createDatabase('memory_streams');
  stack.defer(() => environment.dropDatabase('memory_streams'));
  await fillCharges(databaseUrl, BOOK, true);
  const service = await startService(environment, { databaseUrl });
  stack.defer(() => service.stop());
  const name = 'slow_streams';
  context.note(
    `${name} counts streams, not calls: ${RECORD_STREAMS} that record and ${WATCH_STREAMS} that watch ${BOOK} charges, none of which is read`,
  );
  const contender: Contender = {
    name,
    measure: async (seconds) => {
      const job = {
        kind: 'slow-readers',
        address: service.address,
        recordStreams: RECORD_STREAMS,
        watchStreams: WATCH_STREAMS,
        seconds,
      } as const;
      const { ok, failed, seconds: took } = await load.run(job);
      if (failed > 0) throw new Error(`${name}: ${failed} streams ended while their callers did not read`);
      return {
        count: ok,
        seconds: took,
        cpuSeconds: { server: 0, relay: 0, database: 0, nats: 0, client: 0 },
      };
    },
  };
  return reporting(
    context,
    contender,
    service,
    `memory.${RECORD_STREAMS}_record_and_${WATCH_STREAMS}_watch_streams_unread`,
  );
}

/** Keeps the highest of all rounds. */
function reporting(context: Context, inner: Contender, service: Service, key: string): Contender {
  let highest = 0;
  return {
    ...inner,
    measure: async (seconds) => {
      let measurement: Measurement | undefined;
      const peak = await watchMemory(service.serverPids(), async () => {
        measurement = await inner.measure(seconds);
      });
      highest = Math.max(highest, peak.peakMib);
      context.report(`${key}.peak_mib`, highest);
      context.report(`${key}.before_mib`, peak.beforeMib);
      context.report(`${key}.after_mib`, peak.afterMib);
      if (measurement === undefined) throw new Error('nothing was measured');
      return measurement;
    },
  };
}
