/** The program as a person runs it: a child process, against a service in memory on a real port. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { waitFor } from '../../support/wait-for.ts';
import { FakeService } from './fake-service.ts';
import { runInProcess } from './in-process.ts';

export const ROOT = resolve(import.meta.dirname, '../../..');
const HEADER = 'usage_time,user_profile,prompt_tokens,completion_tokens,model';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A service, a folder of its own, and the programs that run there. {@link Harness.close} ends everything. */
export class Harness {
  readonly service = new FakeService();
  readonly folder = mkdtempSync(join(tmpdir(), 'import-test-'));
  readonly #children: ChildProcess[] = [];

  static async open(): Promise<Harness> {
    const harness = new Harness();
    await harness.service.start();
    return harness;
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.service.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs a script of the project. LISTEN names the service. */
  spawn(script: string, ...args: string[]) {
    const child = spawn(process.execPath, [join(ROOT, script), ...args], {
      cwd: this.folder,
      env: { ...process.env, LISTEN: this.service.address, NODE_OPTIONS: '' },
    });
    this.#children.push(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const done = once(child, 'close').then(([code]): Finished => ({
      code: code as number | null,
      stdout,
      stderr,
    }));
    /** Resolves when the program has written this text to standard error. */
    const says = (text: string) => waitFor(`"${text}"`, () => stderr.includes(text));
    return { child, done, says };
  }

  /** Starts an import. */
  start(...args: string[]) {
    return this.spawn('src/cli/charge.js', 'import', ...args);
  }

  /** Imports with --json and waits for the end. */
  async run(...args: string[]) {
    const { code, stdout, stderr } = await this.start(...args, '--json').done;
    const json = (stdout === '' ? {} : JSON.parse(stdout)) as Record<string, unknown>;
    return { code, stderr, json };
  }

  /** Imports in this process, with --json: for tests that need neither signals nor a standard input. */
  async import(...args: string[]) {
    const { code, stdout, stderr } = await runInProcess(
      'import',
      ...args,
      '--json',
      '--address',
      this.service.address,
    );
    const json = (stdout === '' ? {} : JSON.parse(stdout)) as Record<string, unknown>;
    return { code, stderr, json };
  }

  /** Writes a file into the folder and returns its path. */
  write(name: string, text: string | string[]): string {
    const path = join(this.folder, name);
    writeFileSync(path, Array.isArray(text) ? text.join('\n') : text);
    return path;
  }
}

/** A header and `rows` rows; the prompt tokens of row n are n, its completion tokens 2n. */
export function usage(rows: number): string[] {
  const line = (row: number) =>
    `2024-01-01 00:00:00.${String(row).padStart(7, '0')},user-${row % 7},${row},${row * 2},gpt-4`;
  return [HEADER, ...Array.from({ length: rows }, (_, index) => line(index + 1))];
}

/** A file with the columns of {@link usage} and these rows. */
export function usageOf(...rows: string[]): string[] {
  return [HEADER, ...rows];
}

/** The lines of a reject file. */
export function rejectsOf(path: string): Record<string, unknown>[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
