/** What the tests of src/embedded share: directories below the run's directory, a recording logger, child scripts. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../../src/embedded/process.ts';

export { query } from '../support/database.ts';

/** A fresh directory below the run's, removed with it at the latest. */
export function freshDirectory(): string {
  const runDirectory = process.env['CHARGE_TEST_RUN_DIR'];
  if (runDirectory === undefined) throw new Error('run the tests through jest.config.js');
  const directory = mkdtempSync(join(runDirectory, 'embedded-'));
  chmodSync(directory, 0o711);
  return directory;
}

/** A logger that keeps every line as text. */
export function recordingLogger(): Logger & { lines: string[] } {
  const lines: string[] = [];
  const log = (details: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(details)}`);
  };
  return { lines, debug: log, info: log, warn: log, error: log };
}

/** Writes an executable shell script. */
export function writeScript(path: string, body: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

/**
 * Runs an ES module in a Node process of its own, with `root` as the URL of the project's directory, and resolves
 * with its first line of output. The process goes on until the caller ends it. Rejects when it ends without a line.
 */
export function runModule(
  source: string,
  nodeFlags: readonly string[] = [],
): Promise<{ child: ChildProcess; line: string }> {
  const root = new URL('../../', import.meta.url).href;
  const code = `const root = ${JSON.stringify(root)};\n${source}`;
  const child = spawn(process.execPath, [...nodeFlags, '--no-warnings', '--input-type=module', '-e', code], {
    cwd: fileURLToPath(root),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new Promise((done, failed) => {
    let output = '';
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
    });
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      const end = output.indexOf('\n');
      if (end >= 0) done({ child, line: output.slice(0, end) });
    });
    child.once('close', () => {
      failed(new Error(`the process ended without a line: ${errors}`));
    });
  });
}
