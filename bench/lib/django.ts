/** The Django peer: its virtual environment, its best simple set-up, and its rounds. */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Auditor, expectGrowth } from './audit.ts';
import { runProgram } from './child.ts';
import { peerFile } from './contenders.ts';
import { CACHE_DIR } from './environment.ts';
import { metered } from './meter.ts';
import type { Contender, Context, Measurement } from './scenario.ts';
import { workloadRows } from './workload.ts';

const VENV = join(CACHE_DIR, 'bench-venv');
const PYTHON = join(VENV, 'bin/python');
const REQUIREMENTS = peerFile('django/requirements.txt');
const INSTALL_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 900_000;
const BATCH = 500;
const TRIAL_SECONDS = 2;

interface SetUp {
  readonly processes: number;
  readonly threads: number;
}

/** One process as `manage.py` runs it, threads as a threaded server has them, and a process per core. */
const SET_UPS: readonly SetUp[] = [
  { processes: 1, threads: 1 },
  { processes: 1, threads: 4 },
  { processes: 2, threads: 1 },
  { processes: 2, threads: 4 },
];

interface DjangoResult {
  readonly rows: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the workers, without the start of Python. */
  readonly cpuSeconds: number;
}

/**
 * Django's `create` or `bulk_create` on the table of the service, in the set-up that was fastest in
 * a short trial; undefined, with a loud note, where Python or the packages cannot be had.
 */
export async function djangoContender(
  context: Context,
  mode: 'create' | 'bulk',
): Promise<Contender | undefined> {
  try {
    await ensureVenv();
  } catch (error) {
    context.note(`SKIPPED the Django peer: ${(error as Error).message}`);
    return undefined;
  }
  const { environment, stack } = context;
  const database = `django_${mode}`;
  const databaseUrl = await environment.createDatabase(database);
  stack.defer(() => environment.dropDatabase(database));
  const rows = join(environment.directory, 'workload.json');
  writeFileSync(rows, JSON.stringify(workloadRows()));
  const auditor = new Auditor(databaseUrl, environment.nats.url, undefined);
  const run = (setUp: SetUp, seconds: number): Promise<Measurement> =>
    measure(context, auditor, {
      database: djangoDatabase(databaseUrl),
      rows,
      mode,
      batch: BATCH,
      seconds,
      ...setUp,
    });
  const best = await fastest(run);
  const name = mode === 'create' ? 'django_create' : 'django_bulk';
  context.note(
    `${name} ran with ${best.processes} processes of ${best.threads} threads, the fastest of ${SET_UPS.length} set-ups; no validation, no event`,
  );
  return { name, settle: () => auditor.vacuum(), measure: (seconds) => run(best, seconds) };
}

async function fastest(run: (setUp: SetUp, seconds: number) => Promise<Measurement>): Promise<SetUp> {
  let best = { rate: 0, setUp: { processes: 1, threads: 1 } };
  for (const setUp of SET_UPS) {
    const { count, seconds } = await run(setUp, TRIAL_SECONDS);
    if (count / seconds > best.rate) best = { rate: count / seconds, setUp };
  }
  return best.setUp;
}

async function measure(context: Context, auditor: Auditor, config: object): Promise<Measurement> {
  const { environment } = context;
  const before = await auditor.count();
  const { result, cpuSeconds } = await metered(
    environment,
    {},
    async () =>
      JSON.parse(
        await runProgram(PYTHON, [peerFile('django/bench.py'), JSON.stringify(config)], {
          timeoutMs: RUN_TIMEOUT_MS,
        }),
      ) as DjangoResult,
  );
  expectGrowth('django', before, await auditor.count(), result.rows, ['charges']);
  return {
    count: result.rows,
    seconds: result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    cpuSeconds: { ...cpuSeconds, server: result.cpuSeconds },
  };
}

function djangoDatabase(databaseUrl: string): Record<string, string> {
  const url = new URL(databaseUrl);
  return {
    NAME: url.pathname.slice(1),
    USER: decodeURIComponent(url.username),
    PASSWORD: decodeURIComponent(url.password),
    HOST: url.hostname,
    PORT: url.port,
  };
}

/** Made once and kept; PyPI is asked through pip alone. */
async function ensureVenv(): Promise<void> {
  const stamp = join(VENV, 'installed');
  if (existsSync(stamp)) return;
  await runProgram('python3', ['-m', 'venv', VENV], { timeoutMs: INSTALL_TIMEOUT_MS });
  await runProgram(PYTHON, ['-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS], {
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
  writeFileSync(stamp, '');
}
