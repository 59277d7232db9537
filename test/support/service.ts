/** The whole service as people start it: its own processes, seen from outside only. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type ChargeServiceClient } from '../../generated/charge/v1/charge_service.ts';
import { isAlive } from '../../src/embedded/process.ts';
import { openClient } from './server.ts';
import { ROOT } from './tools.ts';
import { waitFor } from './wait-for.ts';

const READY_TIMEOUT_MS = 90_000;

/** What a log line holds that tests look at. */
export interface LogLine {
  readonly msg: string;
  readonly level: number;
  readonly [key: string]: unknown;
}

/** Addresses from the line that says that the service is ready. */
export interface ReadyLine extends LogLine {
  readonly grpc: string;
  readonly http: string;
  readonly postgresql: string;
  readonly nats: string;
}

/** A started service. */
export class Service {
  readonly process: ChildProcess;
  readonly lines: LogLine[] = [];
  stderr = '';
  readonly #clients: ChargeServiceClient[] = [];
  readonly #exit: Promise<number | string>;

  /**
   * Starts `node src/start.js`, or another command, with these variables and nothing else of this service's.
   * `detached`: in a process group of its own.
   */
  constructor(
    env: Record<string, string>,
    { command = [process.execPath, 'src/start.js'], detached = false } = {},
  ) {
    const [program = '', ...args] = command;
    this.process = spawn(program, args, {
      detached,
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        LISTEN: '127.0.0.1:0',
        METRICS_LISTEN: '127.0.0.1:0',
        PROCESSES: '1',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let rest = '';
    this.process.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.lines.push(JSON.parse(line) as LogLine);
    });
    this.process.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#exit = new Promise((resolve) =>
      this.process.once('close', (code, signal) => resolve(code ?? signal ?? '')),
    );
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Waits for the line that says ready; fails with the log when the service ends first. */
  async ready(): Promise<ReadyLine> {
    let ended: number | string | undefined;
    void this.#exit.then((status) => (ended = status));
    return (await waitFor(
      'the service to be ready',
      () => {
        if (ended !== undefined) return { failed: `${ended}\n${this.stderr}\n${JSON.stringify(this.lines)}` };
        return this.lines.find(({ msg }) => msg.startsWith('ready'));
      },
      { timeoutMs: READY_TIMEOUT_MS },
    ).then((line) => {
      if ('failed' in line) throw new Error(`the service ended: ${String(line.failed)}`);
      return line;
    })) as ReadyLine;
  }

  /** A client of the ready service, closed with it. */
  async client(): Promise<ChargeServiceClient> {
    const client = openClient((await this.ready()).grpc);
    this.#clients.push(client);
    return client;
  }

  /** Sends a signal and waits for the end; resolves to the exit status or the signal. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.process.kill(signal);
    return this.exited();
  }

  /** Waits for the end. */
  async exited(): Promise<number | string> {
    for (const client of this.#clients.splice(0)) client.close();
    return waitFor('the service to end', () => this.#exit.then((status) => ({ status })), {
      timeoutMs: READY_TIMEOUT_MS,
    }).then(({ status }) => status);
  }

  /** Process ids of the server processes. */
  async serverPids(): Promise<number[]> {
    const { readdir, readFile } = await import('node:fs/promises');
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const children: number[] = [];
    for (const pid of pids) {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]);
      if (parent === this.pid && command.includes('src/start.js')) children.push(pid);
    }
    return children;
  }

  /** Ends whatever still runs, after a test that failed. */
  async cleanUp(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null)
      await this.end('SIGTERM').catch(() => this.end('SIGKILL'));
    await waitFor('the process to be gone', () => !isAlive(this.pid));
  }
}

/** A directory for DATA_DIR. */
export async function makeDataDir(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'charge-data-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
