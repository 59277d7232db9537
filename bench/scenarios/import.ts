/** The importer: a file of usage, read, checked, streamed, recorded. */

import { createWriteStream } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { STREAM_NAME } from '../../src/relay/open-relay.ts';
import { Auditor, expectGrowth } from '../lib/audit.ts';
import { runProgram } from '../lib/child.ts';
import { openService, serviceContender } from '../lib/contenders.ts';
import { ProcessTable } from '../lib/cpu.ts';
import { ROOT } from '../lib/environment.ts';
import { metered } from '../lib/meter.ts';
import type { Contender, Context, Scenario } from '../lib/scenario.ts';
import type { Service } from '../lib/service.ts';

const ROWS = 200_000;
const QUICK_ROWS = 20_000;
const IMPORT_TIMEOUT_MS = 600_000;

/** Rows of the importer with its defaults ÷ rows of batches on the same service. */
export const importFile: Scenario = {
  name: 'import',
  title: 'npm run import of a CSV file, against BatchCreateCharges of 500',
  open: async (context) => {
    const service = await openService(context, 'import');
    const rows = context.quick ? QUICK_ROWS : ROWS;
    context.note(`a round imports a new file of ${rows} rows, the start of its program included`);
    return {
      unit: 'rows',
      contenders: [
        importContender(context, service, rows),
        serviceContender(context, 'batch', service, {
          kind: 'unary',
          body: { kind: 'batch', size: 500 },
          inFlight: 4,
        }),
      ],
      ratios: [{ key: 'import.vs_batch', of: 'import', to: 'batch', by: 'answered' }],
    };
  },
};

function importContender(context: Context, service: Service, rows: number): Contender {
  const { environment } = context;
  const auditor = new Auditor(service.databaseUrl, environment.nats.url, STREAM_NAME);
  let seed = 0;
  return {
    name: 'import',
    settle: () => auditor.vacuum(),
    measure: async () => {
      const file = join(environment.directory, `usage-${++seed}.csv`);
      await generate(file, rows, seed);
      const before = await auditor.count();
      const parties = { server: service.serverPids(), relay: service.pid };
      const ownBefore = new ProcessTable().ownCpuSeconds(process.pid);
      const { result, cpuSeconds } = await metered(environment, parties, () =>
        runImport(file, service, auditor),
      );
      expectGrowth('import', before, await auditor.count(), rows, ['charges', 'journal', 'head', 'messages']);
      // The importer has ended by now, and its CPU time has become ours.
      const client = new ProcessTable().ownCpuSeconds(process.pid) - ownBefore;
      return { ...result, count: rows, cpuSeconds: { ...cpuSeconds, client } };
    },
  };
}

async function runImport(file: string, service: Service, auditor: Auditor) {
  const startedAtMs = performance.now();
  const args = [join(ROOT, 'src/cli/import.ts'), file, '--address', service.address, '--json'];
  await runProgram(process.execPath, args, { timeoutMs: IMPORT_TIMEOUT_MS });
  const importedAtMs = performance.now();
  await auditor.drained();
  const endedAtMs = performance.now();
  return { seconds: (endedAtMs - startedAtMs) / 1000, drainSeconds: (endedAtMs - importedAtMs) / 1000 };
}

async function generate(file: string, rows: number, seed: number): Promise<void> {
  const child = spawn(
    process.execPath,
    [join(ROOT, 'examples/generate-usage.mjs'), String(rows), String(seed)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  child.stdout.pipe(createWriteStream(file));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error('generate-usage.mjs failed');
}
