/** What those who record notice of many dashboards that ask the heaviest question at the same time. */

import { QueryUsageRequest } from '../../generated/charge/v1/usage_service.ts';
import { copyBook } from '../lib/books.ts';
import { DashboardCallers } from '../lib/dashboards.ts';
import { atMost, type Contender, type Context, quotientOf, rates, type Scenario } from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';
import type { Service } from '../lib/service.ts';
import { everythingOf, toUsageQuery } from '../lib/usage-questions.ts';

const CHARGES = 10_000_000;
const QUICK_CHARGES = 100_000;
const CREATE = { kind: 'unary', body: { kind: 'create' }, inFlight: 64 } as const;
const CALLERS = 200;

/** CreateCharge alone, and while 200 callers ask for everything by model and day. */
export const dashboards: Scenario = {
  name: 'dashboards',
  title: `CreateCharge with 64 calls in flight, alone and while ${CALLERS} callers ask for everything by model and day`,
  open: async (context) => {
    const book = await copyBook(context, context.quick ? QUICK_CHARGES : CHARGES, 'dashboards');
    const { databaseUrl, endMs } = book;
    const service = await openService(context, 'dashboards', { databaseUrl });
    const query = toUsageQuery(everythingOf(endMs), true);
    return {
      unit: 'calls',
      contenders: [
        serviceContender(context, 'create', service, CREATE),
        withDashboards(context, service, QueryUsageRequest.fromPartial({ query })),
      ],
      ratios: [
        {
          key: 'dashboards.create_p99_vs_alone',
          of: 'create_during',
          to: 'create',
          value: quotientOf(({ p99Ms = NaN }) => p99Ms),
          target: atMost(1.5, 1.2),
        },
        { key: 'dashboards.create_rate_vs_alone', of: 'create_during', to: 'create', value: rates },
      ],
    };
  },
};

function withDashboards(context: Context, service: Service, request: QueryUsageRequest): Contender {
  const inner = serviceContender(context, 'create_during', service, CREATE);
  return {
    ...inner,
    measure: async (seconds) => {
      const callers = await DashboardCallers.start(service.address, request, CALLERS);
      const startedAtMs = performance.now();
      const measurement = await inner.measure(seconds).finally(() => callers.stop());
      const { answered, overloaded, late } = callers;
      const duration = (performance.now() - startedAtMs) / 1000;
      context.report('dashboards.answers_per_second', { value: round(answered / duration) });
      context.report('dashboards.overloaded_per_second', { value: round(overloaded / duration) });
      context.report('dashboards.deadline_exceeded_per_second', { value: round(late / duration) });
      context.report('dashboards.answer_p50_ms', { value: round(callers.latencies.summary().p50Ms ?? NaN) });
      context.report('dashboards.answer_p99_ms', { value: round(callers.latencies.summary().p99Ms ?? NaN) });
      return measurement;
    },
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
