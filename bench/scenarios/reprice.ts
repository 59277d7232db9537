/** RepriceCharges over many charges: how fast it is, and what callers of CreateCharge notice of it. */

import { STREAM_NAME } from '../../src/relay/open-relay.ts';
import { countJournal, countMessages, countRevisions, drained, expectNoGap } from '../lib/audit.ts';
import { contender, openDatabase } from '../lib/contender.ts';
import { fillCharges } from '../lib/fill.ts';
import { CONNECTIONS } from '../lib/load/jobs.ts';
import { priceRequests } from '../lib/price-list.ts';
import { addPrices, openPriceClient, Repricer } from '../lib/prices.ts';
import {
  answeredRateOf,
  answeredRates,
  type Contender,
  type Context,
  type Measurement,
  quotientOf,
  type Scenario,
} from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';
import type { Service } from '../lib/service.ts';

const CHARGES = 1_000_000;
const QUICK_CHARGES = 50_000;
const CREATE = { kind: 'unary', body: { kind: 'create' }, inFlight: 64 } as const;

/** Repricing alone, CreateCharge alone, and both at once. */
export const reprice: Scenario = {
  name: 'reprice',
  title: 'RepriceCharges page by page, CreateCharge with 64 calls in flight, and both at once',
  open: async (context) => {
    const databaseUrl = await openDatabase(context, 'reprice');
    await fillCharges(databaseUrl, context.quick ? QUICK_CHARGES : CHARGES, true);
    const filledAtMs = Date.now();
    const service = await openService(context, 'reprice', { databaseUrl });
    const prices = openPriceClient(context, service.address);
    await addPrices(prices, priceRequests());
    const repricer = new Repricer(prices, filledAtMs);
    const longest = ({ maxMs = NaN }: Measurement): number => maxMs;
    return {
      unit: 'rows',
      contenders: [
        repriceContender(context, service, repricer),
        serviceContender(context, 'create', service, CREATE),
        createDuringReprice(context, service, repricer),
      ],
      ratios: [
        { key: 'reprice.charges_per_second', of: 'reprice', to: 'reprice', value: answeredRateOf },
        { key: 'reprice.create_rate_during', of: 'create_during', to: 'create', value: answeredRates },
        {
          key: 'reprice.create_p99_during',
          of: 'create_during',
          to: 'create',
          value: quotientOf(({ p99Ms = NaN }) => p99Ms),
        },
        { key: 'reprice.create_longest_ms_during', of: 'create_during', to: 'create_during', value: longest },
        { key: 'reprice.create_longest_ms', of: 'create', to: 'create', value: longest },
      ],
    };
  },
};

/** Pages one after the other. Each charge that has another cost is a row and an event. */
function repriceContender(context: Context, service: Service, repricer: Repricer): Contender {
  const { databaseUrl } = service;
  return contender(context, {
    name: 'reprice',
    databaseUrl,
    count: async () => {
      await expectNoGap(databaseUrl);
      return {
        ...(await countRevisions(databaseUrl)),
        ...(await countMessages(context.environment.nats.url, STREAM_NAME)),
      };
    },
    parties: { server: service.serverPids(), relay: service.pid },
    run: async (seconds) => {
      const startedAtMs = performance.now();
      const before = repricer.repriced;
      let pages = 0;
      for (; performance.now() < startedAtMs + seconds * 1000; pages++) await repricer.page();
      const answeredAtMs = performance.now();
      await drained(databaseUrl);
      return {
        ok: pages,
        failed: 0,
        rows: repricer.repriced - before,
        seconds: (answeredAtMs - startedAtMs) / 1000,
        drainSeconds: (performance.now() - answeredAtMs) / 1000,
      };
    },
  });
}

/** Charges are created as long as the round lasts, and meanwhile one page is repriced after the other. */
function createDuringReprice(context: Context, service: Service, repricer: Repricer): Contender {
  const { load, environment } = context;
  const { databaseUrl, address } = service;
  return contender(context, {
    name: 'create_during',
    databaseUrl,
    count: async () => {
      await expectNoGap(databaseUrl);
      const { repriced } = repricer;
      const { revisions } = await countRevisions(databaseUrl);
      if (revisions !== repriced)
        throw new Error(`${revisions ?? NaN} costs are stored for ${repriced} repriced charges`);
      const { charges = NaN, ...events } = {
        ...(await countJournal(databaseUrl)),
        ...(await countMessages(environment.nats.url, STREAM_NAME)),
      };
      const created = Object.entries(events).map(([part, value]) => [part, value - repriced] as const);
      return { charges, ...Object.fromEntries(created) };
    },
    parties: { server: service.serverPids(), relay: service.pid, client: load.pid },
    run: async (seconds) => {
      const before = repricer.repriced;
      const startedAtMs = performance.now();
      let creating = true;
      const create = load
        .ask({ ...CREATE, connections: CONNECTIONS, address, seconds })
        .finally(() => void (creating = false));
      while (creating) await repricer.page();
      const repricedSeconds = (performance.now() - startedAtMs) / 1000;
      const result = await create;
      await drained(databaseUrl);
      context.report('reprice.charges_per_second_during', {
        value: Math.round((repricer.repriced - before) / repricedSeconds),
      });
      return { ...result, drainSeconds: (performance.now() - startedAtMs) / 1000 - result.seconds };
    },
  });
}
