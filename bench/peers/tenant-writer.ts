/**
 * The service's own write path without calls, for loads of several tenants: a call cannot choose its tenant without a
 * credential.
 */

import { chargeEntities, GroupWriter } from '../../src/charges/index.ts';
import type { ChargeRequest } from '../../src/charges/charge.ts';
import { openDatabase } from '../../src/database/orm.ts';
import { journalEntities } from '../../src/journal/index.ts';
import { PriceBooks, priceEntities } from '../../src/prices/index.ts';
import { answerJobs, type JobResult } from '../lib/child-main.ts';
import { Latencies } from '../lib/load/latencies.ts';
import { RequestIds } from '../lib/request-ids.ts';
import { FLOODING, MANY, manyTenant, QUIET, type TenantJob } from '../lib/tenants.ts';
import { toContent, workloadRows } from '../lib/workload.ts';

const QUIET_CALLERS = 4;
const MANY_CALLERS = 64;
/** 32,000 charges wait, which is below the bound of the queue. */
const FLOOD_CALLERS = 64;
const BATCH_SIZE = 500;
/** As a server process has them. */
const WRITERS = 3;

const [databaseUrl = ''] = process.argv.slice(2);
const options = {
  databaseUrl,
  entities: [...chargeEntities, ...journalEntities, ...priceEntities],
  statementTimeoutMs: 30_000,
  connectTimeoutMs: 5_000,
  applicationName: 'bench',
};
const reads = await openDatabase({ ...options, poolSizeMax: 8 });
const writes = await openDatabase({ ...options, poolSizeMax: WRITERS + 1 });
const writer = new GroupWriter(
  writes,
  new PriceBooks(reads.em, () => undefined),
  { writers: WRITERS, groupSizeMax: 500, queueSizeMax: 50_000, retryForMs: 5_000, retryAfterMs: 250 },
  { committed: () => undefined, recorded: () => undefined, attempted: () => undefined },
);

const ids = new RequestIds();
const contents = workloadRows().map(toContent);
let place = 0;
function nextRequest(): ChargeRequest {
  const content = contents[place++ % contents.length];
  if (content === undefined) throw new RangeError('no rows');
  return { requestId: ids.next(), content };
}

async function run({ load, seconds }: TenantJob): Promise<JobResult> {
  const latencies = new Latencies();
  const startedAtMs = performance.now();
  const stopAtMs = startedAtMs + seconds * 1000;
  let [ok, rows, next] = [0, 0, 0];
  const callAll = async (size: number, tenant: () => string, isMeasured: boolean): Promise<void> => {
    while (performance.now() < stopAtMs) {
      const calledAtMs = performance.now();
      await writer.record(tenant(), Array.from({ length: size }, nextRequest));
      if (isMeasured) latencies.add(performance.now() - calledAtMs);
      ok++;
      rows += size;
    }
  };
  const quiet = () => callAll(1, () => QUIET, true);
  const flood = () => callAll(BATCH_SIZE, () => FLOODING, load === 'flood');
  const many = () => callAll(1, () => manyTenant(next++ % MANY), true);
  const times = (count: number, start: () => Promise<void>) => Array.from({ length: count }, start);
  await Promise.all([
    ...times(load === 'quiet' || load === 'quiet_beside_flood' ? QUIET_CALLERS : 0, quiet),
    ...times(load === 'flood' || load === 'quiet_beside_flood' ? FLOOD_CALLERS : 0, flood),
    ...times(load === 'many' ? MANY_CALLERS : 0, many),
  ]);
  return { ok, failed: 0, rows, seconds: (performance.now() - startedAtMs) / 1000, ...latencies.summary() };
}

answerJobs(run);
