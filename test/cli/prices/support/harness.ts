/** The commands about prices as a person runs them, against a service in memory. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../support/harness.ts';
import { runInProcess } from '../../support/in-process.ts';
import { FakePrices } from './fake-prices.ts';

/** What a command came to. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A service and a folder of its own. */
export class PriceHarness {
  readonly service = new FakePrices();
  readonly folder = mkdtempSync(join(tmpdir(), 'prices-test-'));

  static async open(): Promise<PriceHarness> {
    const harness = new PriceHarness();
    await harness.service.start();
    return harness;
  }

  close(): void {
    this.service.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs `charge prices …` in this process, without a terminal. */
  async run(...args: string[]): Promise<Ran> {
    const ran = await runInProcess('prices', ...args, '--address', this.service.address);
    const json = args.includes('--json') && ran.stdout !== '' ? (JSON.parse(ran.stdout) as Ran['json']) : {};
    return { ...ran, json };
  }

  /** Starts `charge prices …` as a process of its own, which can be sent signals. */
  spawn(...args: string[]) {
    const child = spawn(process.execPath, [join(ROOT, 'src/cli/charge.js'), 'prices', ...args], {
      cwd: this.folder,
      env: { ...process.env, LISTEN: this.service.address, NODE_OPTIONS: '' },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const done = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
    return { child, done };
  }

  /** Writes a file into the folder and returns its path. */
  write(name: string, ...lines: string[]): string {
    const path = join(this.folder, name);
    writeFileSync(path, lines.join('\n'));
    return path;
  }
}
