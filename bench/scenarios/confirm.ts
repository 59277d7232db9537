/** Tools of other people on the same servers: they confirm the load generator and the bare writers. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runProgram } from '../lib/child.ts';
import { ProcessTable } from '../lib/cpu.ts';
import { emptyCallContender, openEmptyCallPeer, openService, serviceContender } from '../lib/contenders.ts';
import { findTool } from '../lib/tools.ts';
import { metered } from '../lib/meter.ts';
import { pgbenchContenders } from '../lib/pgbench.ts';
import type { Contender, Context, Measurement, Scenario } from '../lib/scenario.ts';
import { toCreateRequest, workloadRows } from '../lib/workload.ts';
import { CreateChargeRequest } from '../../generated/charge/v1/charge_service.ts';
import { Auditor, expectGrowth } from '../lib/audit.ts';
import { STREAM_NAME } from '../../src/relay/open-relay.ts';

const IN_FLIGHT = 256;
const CONNECTIONS = 4;
const TOOL_SLACK_MS = 60_000;

/** Missing tools are named and left out. */
export const confirm: Scenario = {
  name: 'confirm',
  title: 'h2load, ghz and pgbench on the same machine and work, 256 calls in flight',
  open: async (context) => {
    const service = await openService(context, 'confirm');
    const create = { kind: 'unary', body: { kind: 'create' }, inFlight: IN_FLIGHT } as const;
    const contenders = [
      rename(await emptyCallContender(context, IN_FLIGHT), 'empty_call_by_bench'),
      ...present(await h2loadContender(context)),
      serviceContender(context, 'create_by_bench', service, create),
      ...present(ghzContender(context, service)),
      ...(await pgbenchContenders(context)),
    ];
    const names = new Set(contenders.map(({ name }) => name));
    return {
      unit: 'calls',
      contenders,
      ratios: [
        {
          key: 'confirm.empty_call_bench_vs_h2load',
          of: 'empty_call_by_bench',
          to: 'empty_call_by_h2load',
          by: 'rate',
        } as const,
        {
          key: 'confirm.create_bench_vs_ghz',
          of: 'create_by_bench',
          to: 'create_by_ghz',
          by: 'answered',
        } as const,
      ].filter(({ of, to }) => names.has(of) && names.has(to)),
    };
  },
};

function rename(contender: Contender, name: string): Contender {
  return { ...contender, name };
}

function present<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

/** The empty call, which may be the same bytes each time. h2load looks at the HTTP status only. */
async function h2loadContender(context: Context): Promise<Contender | undefined> {
  const h2load = findTool('h2load');
  if (h2load === undefined) {
    context.note('SKIPPED h2load: not found (Debian: nghttp2-client)');
    return undefined;
  }
  const { environment } = context;
  const peer = await openEmptyCallPeer(context);
  const body = join(environment.directory, 'empty.grpc');
  writeFileSync(body, Buffer.alloc(5));
  return {
    name: 'empty_call_by_h2load',
    measure: async (seconds) => {
      const args = [
        '-D',
        String(Math.ceil(seconds)),
        '-c',
        String(CONNECTIONS),
        '-m',
        String(IN_FLIGHT / CONNECTIONS),
        '-t',
        '1',
      ];
      const headers = ['-H', 'content-type: application/grpc', '-H', 'te: trailers', '-d', body];
      const url = `http://${peer.address}/charge.v1.ChargeService/CreateCharge`;
      const tool = await measuredTool(context, [peer.pid], h2load, [...args, ...headers, url], seconds);
      const [, total = '', succeeded = ''] =
        /requests: (\d+) total.* (\d+) succeeded/.exec(tool.output) ?? [];
      if (total !== succeeded || total === '')
        throw new Error(`h2load: ${succeeded} of ${total} calls succeeded`);
      return { ...tool.measurement, count: Number(succeeded), seconds: Math.ceil(seconds) };
    },
  };
}

/** CreateCharge with an id of its own for each call; grpc-go asks the server for its descriptors. */
function ghzContender(
  context: Context,
  service: Awaited<ReturnType<typeof openService>>,
): Contender | undefined {
  const ghz = findTool('ghz');
  if (ghz === undefined) {
    context.note('SKIPPED ghz: not found (go install github.com/bojand/ghz/cmd/ghz)');
    return undefined;
  }
  const [row] = workloadRows();
  if (row === undefined) return undefined;
  const request = CreateChargeRequest.toJSON(toCreateRequest(row, '{{newUUID}}'));
  const { environment } = context;
  const auditor = new Auditor(service.databaseUrl, environment.nats.url, STREAM_NAME);
  return {
    name: 'create_by_ghz',
    settle: () => auditor.vacuum(),
    measure: async (seconds) => {
      const before = await auditor.count();
      const args = [
        '--insecure',
        '--call',
        'charge.v1.ChargeService.CreateCharge',
        '-d',
        JSON.stringify(request),
        '-O',
        'json',
      ];
      const load = [
        '-c',
        String(IN_FLIGHT),
        '--connections',
        String(CONNECTIONS),
        '-z',
        `${seconds}s`,
        '--duration-stop',
        'wait',
      ];
      const tool = await measuredTool(
        context,
        service.serverPids(),
        ghz,
        [...args, ...load, service.address],
        seconds,
      );
      const report = JSON.parse(tool.output) as GhzReport;
      await auditor.drained();
      const ok = report.statusCodeDistribution['OK'] ?? 0;
      if (ok !== report.count) throw new Error(`ghz: ${ok} of ${report.count} calls were answered OK`);
      expectGrowth('ghz', before, await auditor.count(), ok, ['charges', 'journal', 'head', 'messages']);
      const p = (percentage: number): number | undefined => {
        const found = report.latencyDistribution.find((each) => each.percentage === percentage);
        return found && found.latency / 1e6;
      };
      return { ...tool.measurement, count: ok, seconds: report.total / 1e9, p50Ms: p(50), p99Ms: p(99) };
    },
  };
}

interface GhzReport {
  readonly count: number;
  /** Nanoseconds. */
  readonly total: number;
  readonly statusCodeDistribution: Readonly<Record<string, number>>;
  readonly latencyDistribution: readonly { readonly percentage: number; readonly latency: number }[];
}

async function measuredTool(
  { environment }: Context,
  server: readonly number[],
  program: string,
  args: readonly string[],
  seconds: number,
): Promise<{ readonly output: string; readonly measurement: Omit<Measurement, 'count' | 'seconds'> }> {
  // A program that has ended has added its CPU time to ours.
  const own = (): number => new ProcessTable().ownCpuSeconds(process.pid);
  const before = own();
  const { result, cpuSeconds } = await metered(environment, { server }, () =>
    runProgram(program, args, { timeoutMs: seconds * 1000 + TOOL_SLACK_MS }),
  );
  return { output: result, measurement: { cpuSeconds: { ...cpuSeconds, client: own() - before } } };
}
