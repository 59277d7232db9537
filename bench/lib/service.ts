/** The service itself, as `npm start` starts it, on a database and a broker of the bench. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { stopChild } from './child.ts';
import { childrenOf } from './cpu.ts';
import { type Environment, ROOT } from './environment.ts';

const START_TIMEOUT_MS = 60_000;
/** The service itself gives up draining before that. */
const STOP_TIMEOUT_MS = 40_000;
const LOG_LINES_KEPT = 50;

/** A running service. */
export interface Service {
  /** host:port of the gRPC server. */
  readonly address: string;
  /** host:port of metrics and health. */
  readonly http: string;
  readonly databaseUrl: string;
  /** Of its TLS; undefined: plain text. */
  readonly certFile: string | undefined;
  /** The supervisor, which runs the relay. */
  readonly pid: number;
  /** The gRPC server processes. */
  serverPids(): readonly number[];
  stop(): Promise<void>;
}

/**
 * Starts the service with everything on: validation, journal, relay, metrics, logs at info. One server
 * process, unless `env` says otherwise; `env` holds variables of the README.
 */
export async function startService(
  environment: Environment,
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Service> {
  // Options of Node for the service alone, such as --cpu-prof; its server processes inherit them.
  const flags = process.env['BENCH_SERVICE_NODE_OPTIONS']?.split(' ').filter(Boolean) ?? [];
  const child = spawn(process.execPath, [...flags, join(ROOT, 'src/start.js')], {
    cwd: environment.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      NATS_URL: environment.nats.url,
      LISTEN: '127.0.0.1:0',
      METRICS_LISTEN: '127.0.0.1:0',
      LOG_LEVEL: 'info',
      PROCESSES: '1',
      ...env,
    },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the service has no process id');
  try {
    const { grpc, http } = await readyLine(child);
    return {
      address: grpc,
      http,
      databaseUrl,
      certFile: env['TLS_CERT_FILE'],
      pid,
      serverPids: () => childrenOf(pid),
      stop: () => stopChild(child, STOP_TIMEOUT_MS),
    };
  } catch (error) {
    await stopChild(child);
    throw error;
  }
}

interface ReadyLine {
  readonly msg: string;
  readonly grpc: string;
  readonly http: string;
}

/** Keeps reading afterwards: a full pipe would block the service at its next log line. */
function readyLine(child: ChildProcess): Promise<ReadyLine> {
  const last: string[] = [];
  const keep = (line: string): void => {
    last.push(line);
    if (last.length > LOG_LINES_KEPT) last.shift();
  };
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${why}:\n${last.join('\n')}`));
    const timer = setTimeout(() => fail('the service was not ready in time'), START_TIMEOUT_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      fail('the service ended');
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        keep(line);
        const parsed = parseLine(line);
        if (parsed?.msg.startsWith('ready') !== true) return;
        clearTimeout(timer);
        resolve(parsed);
      });
    }
  });
}

function parseLine(line: string): ReadyLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as ReadyLine;
  } catch {
    return undefined;
  }
}
