/** The Django peer: its virtual environment, the set-up that is fastest here, and its rounds. */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { countCharges } from './audit.ts';
import { runProgram } from './child.ts';
import type { JobResult } from './child-main.ts';
import { contender, openDatabase } from './contender.ts';
import { CACHE_DIR } from './environment.ts';
import type { Contender, Context } from './scenario.ts';
import { workloadRows } from './workload.ts';

const PEER = fileURLToPath(new URL('../peers/django', import.meta.url));
const VENV = join(CACHE_DIR, 'bench-venv');
const PYTHON = join(VENV, 'bin/python');
const INSTALL_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 900_000;
const BATCH = 500;
const TRIAL_SECONDS = 2;

/** One process as `manage.py` runs it, threads as a threaded server has them, and a process per core. */
const SET_UPS = [
  { processes: 1, threads: 1 },
  { processes: 1, threads: 4 },
  { processes: 2, threads: 1 },
  { processes: 2, threads: 4 },
] as const;

/** What `bench.py` prints. */
interface DjangoResult {
  readonly rows: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the workers, without the start of Python. */
  readonly cpuSeconds: number;
}

/**
 * Django's `create` or `bulk_create` on the table of the service, in the set-up that was fastest in a
 * short trial. None, and a note, if there is no Python 3 or the packages cannot be installed.
 */
export async function djangoContender(context: Context, mode: 'create' | 'bulk'): Promise<Contender[]> {
  try {
    await ensureVenv();
  } catch (error) {
    context.note(`SKIPPED the Django peer: ${(error as Error).message}`);
    return [];
  }
  const name = `django_${mode}` as const;
  const databaseUrl = await openDatabase(context, name);
  const rows = join(context.environment.directory, 'workload.json');
  writeFileSync(rows, JSON.stringify(workloadRows()));
  const config = { database: djangoDatabase(databaseUrl), rows, mode, batch: BATCH };
  const withSetUp = (setUp: (typeof SET_UPS)[number]): Contender =>
    contender(context, {
      name,
      databaseUrl,
      parties: {},
      count: () => countCharges(databaseUrl),
      run: (seconds) => run({ ...config, ...setUp, seconds }),
    });
  let best = { rate: 0, setUp: SET_UPS[0] as (typeof SET_UPS)[number] };
  for (const setUp of SET_UPS) {
    const { count, seconds } = await withSetUp(setUp).measure(TRIAL_SECONDS);
    if (count / seconds > best.rate) best = { rate: count / seconds, setUp };
  }
  const { processes, threads } = best.setUp;
  context.note(
    `${name} ran with ${processes} processes of ${threads} threads, the fastest of ${SET_UPS.length} set-ups; no validation, no event`,
  );
  return [withSetUp(best.setUp)];
}

async function run(config: object): Promise<JobResult & { readonly serverCpuSeconds: number }> {
  const output = await runProgram(PYTHON, [join(PEER, 'bench.py'), JSON.stringify(config)], RUN_TIMEOUT_MS);
  const { cpuSeconds, rows, ...times } = JSON.parse(output) as DjangoResult;
  return { ...times, ok: rows, failed: 0, rows, serverCpuSeconds: cpuSeconds };
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

/** Made once and kept. */
async function ensureVenv(): Promise<void> {
  const stamp = join(VENV, 'installed');
  if (existsSync(stamp)) return;
  await runProgram('python3', ['-m', 'venv', VENV], INSTALL_TIMEOUT_MS);
  const install = ['-m', 'pip', 'install', '--quiet', '-r', join(PEER, 'requirements.txt')];
  await runProgram(PYTHON, install, INSTALL_TIMEOUT_MS);
  writeFileSync(stamp, '');
}
