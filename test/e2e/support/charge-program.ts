/** Runs the program `charge` against a service. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { ROOT } from '../../support/tools.ts';

/** Runs `charge …args --json` against this address; resolves to its report, rejects if it ends with an error. */
export async function runCharge(address: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['src/cli/charge.js', ...args, '--json', '--address', address],
    { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 },
  );
  return JSON.parse(stdout) as Record<string, unknown>;
}
