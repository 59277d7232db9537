/** What the kept sums cost those who record: the same service with and without adding to the sums. */

import { lastFullHourMs } from '../lib/book.ts';
import { copyBook } from '../lib/books.ts';
import { contender } from '../lib/contender.ts';
import { countJournal, countMessages, drained } from '../lib/audit.ts';
import { STREAM_NAME } from '../../src/relay/open-relay.ts';
import { type Body, CONNECTIONS } from '../lib/load/jobs.ts';
import {
  answeredRates,
  atLeast,
  type Contender,
  type Context,
  type Measurement,
  type Scenario,
} from '../lib/scenario.ts';
import { openService } from '../lib/service-contender.ts';
import type { Service } from '../lib/service.ts';
import { LagWatch, summed, withoutSumming } from '../lib/sums.ts';
import { compare, openPlainClient, openUsageClient } from '../lib/usage-client.ts';
import { everythingOf } from '../lib/usage-questions.ts';

const CHARGES = 1_000_000;
const QUICK_CHARGES = 100_000;

const SHAPES = {
  create: { body: { kind: 'create' }, inFlight: 256 },
  batch: { body: { kind: 'batch', size: 500 }, inFlight: 4 },
} as const;

/** Rounds with sums end when the sums have every charge of the round; without them, that is made up for afterwards. */
export const rollups: Scenario = {
  name: 'rollups',
  title: 'CreateCharge and BatchCreateCharges while usage is summed up, and while it is not',
  open: async (context) => {
    const charges = context.quick ? QUICK_CHARGES : CHARGES;
    const { databaseUrl } = await copyBook(context, charges, 'rollups');
    const service = await openService(context, 'rollups', { databaseUrl });
    const check = await openCheck(context, service);
    const contenders = (['create', 'batch'] as const).flatMap((shape) => [
      onContender(context, service, shape, check),
      offContender(context, service, shape),
    ]);
    return {
      unit: 'rows',
      contenders,
      ratios: [
        {
          key: 'rollups.create_on_vs_off',
          of: 'create_on',
          to: 'create_off',
          value: answeredRates,
          target: atLeast(0.95, 1),
        },
        {
          key: 'rollups.batch_on_vs_off',
          of: 'batch_on',
          to: 'batch_off',
          value: answeredRates,
          target: atLeast(0.85, 0.95),
        },
        { key: 'rollups.create_database_us', of: 'create_on', to: 'create_off', value: databaseMicros },
        { key: 'rollups.batch_database_us', of: 'batch_on', to: 'batch_off', value: databaseMicros },
      ],
    };
  },
};

/** CPU time of PostgreSQL that the sums take, in microseconds a charge. */
function databaseMicros(on: Measurement, off: Measurement): number {
  const micros = ({ cpuSeconds, count }: Measurement): number => (cpuSeconds.database * 1e6) / count;
  return micros(on) - micros(off);
}

/** Compares the service's sums of everything with those of SQL. */
async function openCheck(context: Context, service: Service): Promise<() => Promise<void>> {
  const client = openUsageClient(context, service.address);
  const plain = await openPlainClient(context, service.databaseUrl);
  return async () => void (await compare(client, plain, everythingOf(lastFullHourMs())));
}

function onContender(
  context: Context,
  service: Service,
  shape: keyof typeof SHAPES,
  check: () => Promise<void>,
): Contender {
  const inner = shapeContender(context, service, `${shape}_on`, SHAPES[shape], async (run) => {
    const watch = await LagWatch.start(service.databaseUrl);
    const result = await run();
    await summed(service.databaseUrl);
    const lags = [...(await watch.stop())].sort((a, b) => a - b);
    const p99 = lags[Math.ceil(0.99 * lags.length) - 1] ?? NaN;
    // Of the last round.
    context.report(shape === 'create' ? 'rollup_lag_p99_ms' : 'rollup_lag_p99_ms_batch', {
      value: Math.round(p99),
    });
    return result;
  });
  return {
    ...inner,
    settle: async () => {
      await check();
      await inner.settle?.();
    },
  };
}

function offContender(context: Context, service: Service, shape: keyof typeof SHAPES): Contender {
  const inner = shapeContender(context, service, `${shape}_off`, SHAPES[shape], (run) =>
    withoutSumming(service.databaseUrl, run),
  );
  return {
    ...inner,
    settle: async () => {
      await summed(service.databaseUrl);
      await inner.settle?.();
    },
  };
}

/** The round ends when JetStream has acknowledged every event, and `around` has ended. */
function shapeContender(
  context: Context,
  service: Service,
  name: string,
  shape: { readonly body: Body; readonly inFlight: number },
  around: <T>(run: () => Promise<T>) => Promise<T>,
): Contender {
  const { load, environment } = context;
  const { databaseUrl, address } = service;
  return contender(context, {
    name,
    databaseUrl,
    count: async () => ({
      ...(await countJournal(databaseUrl)),
      ...(await countMessages(environment.nats.url, STREAM_NAME)),
    }),
    parties: { server: service.serverPids(), relay: service.pid, client: load.pid },
    run: async (seconds) => {
      let answeredAtMs = 0;
      const result = await around(async () => {
        const answered = await load.ask({
          kind: 'unary',
          connections: CONNECTIONS,
          ...shape,
          address,
          seconds,
        });
        answeredAtMs = performance.now();
        await drained(databaseUrl);
        return answered;
      });
      return { ...result, drainSeconds: (performance.now() - answeredAtMs) / 1000 };
    },
  });
}
