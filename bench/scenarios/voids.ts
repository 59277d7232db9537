/** VoidCharge: corrections of one tenant go one after the other, so this is how many a tenant can make. */

import { STREAM_NAME } from '../../src/relay/open-relay.ts';
import { countMessages, countVoids, drained, expectNoGap } from '../lib/audit.ts';
import { contender, openDatabase } from '../lib/contender.ts';
import { withClient } from '../lib/environment.ts';
import { fillCharges } from '../lib/fill.ts';
import { CONNECTIONS } from '../lib/load/jobs.ts';
import { atLeast, type Contender, type Context, rateOf, type Scenario } from '../lib/scenario.ts';
import { openService } from '../lib/service-contender.ts';
import type { Service } from '../lib/service.ts';

const CHARGES = 500_000;
const QUICK_CHARGES = 100_000;
/** More than the service makes: charges for a round are chosen beforehand. */
const VOIDS_PER_SECOND_MAX = 8_000;

/** Voids with 64 calls in flight, and from one caller alone. */
export const voids: Scenario = {
  name: 'voids',
  title: 'VoidCharge on one tenant, relay on and drained: 64 calls in flight, and one caller alone',
  open: async (context) => {
    const databaseUrl = await openDatabase(context, 'voids');
    await fillCharges(databaseUrl, context.quick ? QUICK_CHARGES : CHARGES, true);
    const service = await openService(context, 'voids', { databaseUrl });
    const next = await chargesInRandomOrder(databaseUrl);
    return {
      unit: 'calls',
      contenders: [
        voidContender(context, service, next, {
          name: 'in_flight_64',
          inFlight: 64,
          connections: CONNECTIONS,
        }),
        voidContender(context, service, next, { name: 'alone', inFlight: 1, connections: 1 }),
      ],
      ratios: [
        {
          key: 'voids.per_second',
          of: 'in_flight_64',
          to: 'in_flight_64',
          value: rateOf,
          target: atLeast(1_000, 2_000),
        },
        { key: 'voids.alone_p50_ms', of: 'alone', to: 'alone', value: ({ p50Ms = NaN }) => p50Ms },
      ],
    };
  },
};

function voidContender(
  context: Context,
  service: Service,
  charges: ChargesToVoid,
  { name, ...shape }: { readonly name: string; readonly inFlight: number; readonly connections: number },
): Contender {
  const { load, environment } = context;
  const { databaseUrl, address } = service;
  return contender(context, {
    name,
    databaseUrl,
    count: async () => {
      await expectNoGap(databaseUrl);
      return {
        ...(await countVoids(databaseUrl)),
        ...(await countMessages(environment.nats.url, STREAM_NAME)),
      };
    },
    parties: { server: service.serverPids(), relay: service.pid, client: load.pid },
    run: async (seconds) => {
      const ids = charges.peek(Math.ceil(seconds * VOIDS_PER_SECOND_MAX));
      const result = await load.ask({
        kind: 'unary',
        body: { kind: 'void', ids },
        ...shape,
        address,
        seconds,
      });
      charges.take(result.ok + result.failed);
      const answeredAtMs = performance.now();
      await drained(databaseUrl);
      return { ...result, drainSeconds: (performance.now() - answeredAtMs) / 1000 };
    },
  });
}

/** Charges that are not voided yet. */
interface ChargesToVoid {
  /** The next ones, at most `count`. */
  peek(count: number): readonly string[];
  /** So many of them are voided now. */
  take(count: number): void;
}

async function chargesInRandomOrder(databaseUrl: string): Promise<ChargesToVoid> {
  const ids = await withClient(databaseUrl, async (client) => {
    // Request keys are random.
    const { rows } = await client.query<{ id: string }>('SELECT id FROM charge ORDER BY request_key');
    return rows.map(({ id }) => id);
  });
  let first = 0;
  return {
    peek: (count) => ids.slice(first, first + count),
    take: (count) => void (first += count),
  };
}
