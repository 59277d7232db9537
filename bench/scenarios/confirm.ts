/** The load generator against h2load, a well-known one, on the same server: is it the server that is measured? */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runProgram } from '../lib/child.ts';
import { contender } from '../lib/contender.ts';
import { CONNECTIONS } from '../lib/load/jobs.ts';
import { emptyCallContender, openEchoPeer } from '../lib/peers.ts';
import { type Contender, type Context, rates, type Scenario } from '../lib/scenario.ts';

const IN_FLIGHT = 256;
const SLACK_MS = 60_000;

/** Empty calls per second by the load generator of the bench, against h2load. */
export const confirm: Scenario = {
  name: 'confirm',
  title: `the bench's load generator against h2load: empty calls, ${IN_FLIGHT} in flight`,
  open: async (context) => ({
    unit: 'calls',
    contenders: [await emptyCallContender(context, IN_FLIGHT), ...(await h2loadContender(context))],
    ratios: [{ key: 'confirm.bench_vs_h2load', of: 'empty_call', to: 'h2load', value: rates }],
  }),
};

/** None, and a note, if h2load is not installed. It checks the HTTP status only. */
async function h2loadContender(context: Context): Promise<Contender[]> {
  try {
    await runProgram('h2load', ['--version'], SLACK_MS);
  } catch {
    context.note('SKIPPED h2load: not found (Debian: nghttp2-client)');
    return [];
  }
  const peer = await openEchoPeer(context);
  const body = join(context.environment.directory, 'empty.grpc');
  writeFileSync(body, Buffer.alloc(5));
  const headers = ['-H', 'content-type: application/grpc', '-H', 'te: trailers', '-d', body];
  const load = ['-t', '1', '-c', `${CONNECTIONS}`, '-m', `${IN_FLIGHT / CONNECTIONS}`];
  const url = `http://${peer.ready.address}/charge.v1.ChargeService/CreateCharge`;
  const run = async (atLeastSeconds: number) => {
    const seconds = Math.ceil(atLeastSeconds);
    const args = ['-D', `${seconds}`, ...load, ...headers, url];
    const output = await runProgram('h2load', args, seconds * 1000 + SLACK_MS);
    const [, total = NaN, ok = NaN] = (/requests: (\d+) total.* (\d+) succeeded/.exec(output) ?? []).map(
      Number,
    );
    return { ok, failed: total - ok, rows: ok, seconds };
  };
  return [contender(context, { name: 'h2load', parties: { server: [peer.pid] }, run })];
}
