/** The real nats-server with JetStream that a laptop gets by default. */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { openLogFile, tailOfLog, type LogFile } from './log-file.ts';
import { manageProcess } from './managed-process.ts';
import { serverMemoryBytes } from './memory.ts';
import { type Readiness, waitUntilNatsReady } from './nats-ready.ts';
import { natsVersionOf, versionAtLeast } from './nats-version.ts';
import {
  childEnvironment,
  commandLineOf,
  isAlive,
  stopProcess,
  type Logger,
  type ManagedProcess,
} from './process.ts';

/** Options of `startEmbeddedNats`. */
export interface EmbeddedNatsOptions {
  /** DATA_DIR; the caller holds its lock. */
  dataDir: string;
  /** 0 or absent: any free port. */
  port?: number;
  logger: Logger;
  /** Path of the program, from `findNatsServer`. */
  binary: string;
  /** Name of the directory below `dataDir`. Default `nats`. */
  storeDirName?: string;
  /** How often JetStream syncs to disk, or `always`. Default `defaultSyncInterval`. */
  syncInterval?: string;
  /** Bound of all streams together, in bytes. Default 16 GiB. */
  fileStoreBytesMax?: number;
  /** Default 60 s: a big store takes a while to be read. */
  startTimeoutMs?: number;
  /** Ends a start that is not complete. Afterwards it has no effect: see `stop()`. */
  signal?: AbortSignal;
}

/** A running embedded nats-server. */
export interface EmbeddedNats extends ManagedProcess {
  url: string;
  port: number;
  version: string;
}

/** nats-server did not start. The message ends with the last lines of its own log. */
export class NatsStartError extends Error {
  override name = 'NatsStartError';
}

/**
 * JetStream acknowledges before it syncs to disk, and by default syncs every 2 minutes: that is what a power cut
 * can cost (a kill of the process costs nothing). `always` syncs every write before its acknowledgement, at the
 * price of one fsync for each message or batch, on the disk on which PostgreSQL syncs its commits too. The journal
 * in PostgreSQL can replay every event, so the broker need not be as durable as it is: 10 s keeps such a replay
 * short, and costs nothing that can be measured.
 */
export const defaultSyncInterval = '10s';

const fileStoreBytesMaxDefault = 16 * 1024 ** 3;
const memoryStoreBytesMax = 64 * 1024 ** 2;
const payloadBytesMax = 1024 ** 2;
const stopSteps = [
  { signal: 'SIGTERM', timeoutMs: 10_000 },
  { signal: 'SIGKILL', timeoutMs: 5_000 },
] as const;

/**
 * Starts nats-server on 127.0.0.1 with its store below `dataDir` and resolves when it serves JetStream. A server
 * that a killed service left on the same store is stopped first: two of them would destroy it. The server is in a
 * session of its own: a terminal's Ctrl-C does not reach it. There are no credentials, as it is on loopback only.
 * Throws `NatsStartError`; once `signal` is aborted, its reason, when the server is gone.
 */
export async function startEmbeddedNats(options: EmbeddedNatsOptions): Promise<EmbeddedNats> {
  const { logger, binary, port = 0, startTimeoutMs = 60_000, signal } = options;
  const startedAtMs = performance.now();
  const wanted = resolve(options.dataDir, options.storeDirName ?? 'nats');
  mkdirSync(dirname(wanted), { recursive: true, mode: 0o711 });
  mkdirSync(wanted, { recursive: true, mode: 0o700 });
  // One spelling, because an orphan is known by the path on its command line.
  const directory = realpathSync(wanted);
  const files = { config: join(directory, 'nats.conf'), pid: join(directory, 'nats.pid') };
  await stopOrphans(directory, files, logger);
  const version = await natsVersionOf(binary, signal);
  writeFileSync(files.config, configuration(directory, port, version, options), { mode: 0o600 });
  const logPath = `${directory}.log`;
  const log = openLogFile(logPath);
  const child = await spawnServer(binary, files.config, log);
  const pid = child.pid;
  if (pid === undefined) throw new NatsStartError(`${binary} has no process id`);
  let ready: Readiness;
  try {
    writeFileSync(files.pid, `${String(pid)}\n`, { mode: 0o600 });
    ready = await waitUntilNatsReady(child, directory, startTimeoutMs, signal);
  } catch (error) {
    ready = { reason: (error as Error).message };
  }
  if ('reason' in ready) {
    if (isAlive(pid)) await stopProcess('nats-server', pid, stopSteps, logger);
    signal?.throwIfAborted();
    const tail = tailOfLog(logPath, log.startBytes);
    if (tail.includes('address already in use')) {
      throw new NatsStartError(
        `port ${String(port)} of 127.0.0.1 is taken: choose another, or 0 for any free one`,
      );
    }
    throw new NatsStartError(
      `nats-server did not start: ${ready.reason}; its log (${logPath}) ends with:\n${tail}`,
    );
  }
  const managed = manageProcess({ name: 'nats-server', pid, child, steps: stopSteps, logger });
  managed.onExit(() => {
    rmSync(files.pid, { force: true });
  });
  const durationMs = Math.round(performance.now() - startedAtMs);
  logger.info({ port: ready.port, pid, version, durationMs }, 'embedded nats-server is ready');
  return { ...managed, url: `nats://127.0.0.1:${String(ready.port)}`, port: ready.port, version };
}

function configuration(
  directory: string,
  port: number,
  version: string,
  options: EmbeddedNatsOptions,
): string {
  // JSON's strings are valid in this format, and its escapes the same, which makes any path safe.
  const text = (value: string): string => JSON.stringify(value);
  const syncInterval = options.syncInterval ?? defaultSyncInterval;
  return [
    '# Written at every start of the service: changes here are lost.',
    'server_name: charge-embedded',
    'host: 127.0.0.1',
    `port: ${String(port === 0 ? -1 : port)}`,
    `ports_file_dir: ${text(directory)}`,
    `max_payload: ${String(payloadBytesMax)}`,
    'jetstream {',
    `  store_dir: ${text(directory)}`,
    `  max_memory_store: ${String(memoryStoreBytesMax)}`,
    `  max_file_store: ${String(options.fileStoreBytesMax ?? fileStoreBytesMaxDefault)}`,
    // Older ones refuse a field that they do not know.
    ...(versionAtLeast(version, 2, 10) ? [`  sync_interval: ${syncInterval}`] : []),
    '}',
    '',
  ].join('\n');
}

async function spawnServer(binary: string, config: string, log: LogFile): Promise<ChildProcess> {
  const child = spawn(binary, ['-c', config], {
    cwd: '/',
    env: { ...childEnvironment(), ...goMemory() },
    // The relay drains after the terminal's Ctrl-C, which therefore must not reach the broker.
    detached: true,
    stdio: ['ignore', log.descriptor, log.descriptor],
  });
  child.unref();
  closeSync(log.descriptor);
  await new Promise<void>((started, failed) => {
    child.once('spawn', started);
    child.once('error', (error) => {
      failed(new NatsStartError(`${binary} cannot be started: ${error.message}`));
    });
  });
  return child;
}

// The ids come from our own file and from the server's `<program>_<pid>.ports`, for a service that was killed
// between the start of the server and the writing of the former.
async function stopOrphans(
  directory: string,
  files: { config: string; pid: string },
  logger: Logger,
): Promise<void> {
  const portsFiles = readdirSync(directory).filter((name) => name.endsWith('.ports'));
  const pids = new Set(portsFiles.map((name) => Number(/_(\d+)\.ports$/.exec(name)?.[1])));
  if (existsSync(files.pid)) pids.add(Number.parseInt(readFileSync(files.pid, 'utf8'), 10));
  for (const pid of pids) {
    // The id may have gone to another program: only the command line with our own configuration proves it.
    if (!(pid > 0) || !isAlive(pid) || !(commandLineOf(pid) ?? '').includes(files.config)) continue;
    logger.warn({ pid }, 'stopping the nats-server that an earlier run left on this DATA_DIR');
    await stopProcess('nats-server', pid, stopSteps, logger);
  }
  for (const name of portsFiles) rmSync(join(directory, name), { force: true });
  rmSync(files.pid, { force: true });
}

/**
 * A larger heap is collected less often. Near the limit Go collects all the time, and the broker remembers the message
 * ids of two minutes: under load for longer than that, 512 MiB took it 20 µs of CPU an event instead of 9.
 */
function goMemory(): Record<'GOGC' | 'GOMEMLIMIT', string> {
  return { GOGC: '400', GOMEMLIMIT: `${serverMemoryBytes()}B` };
}
