/** The real nats-server with JetStream that the service starts by default. */
import { connect } from '@nats-io/transport-node';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { answersOn } from './answers.ts';
import { serverMemoryBytes } from './memory.ts';
import { choosePort } from './ports.ts';
import { commandLineOf, isAlive, stopProcess, type Logger } from './process.ts';
import { startServer, type ManagedServer } from './server-process.ts';

/** Options of `startEmbeddedNats`. */
export interface EmbeddedNatsOptions {
  /** DATA_DIR. The caller has locked it. */
  dataDir: string;
  /** 0 or absent: chosen once and kept in DATA_DIR. */
  port?: number;
  logger: Logger;
  /** Path of the program, from `findNatsServer`. */
  binary: string;
  /** Limit of all streams together, in bytes. Default 16 GiB. */
  fileStoreBytesMax?: number;
  /** Default 60 s: reading a large store takes a while. */
  startTimeoutMs?: number;
  /** Ends a start that is not complete. It has no effect on a running server. */
  signal?: AbortSignal;
}

/** Where a nats-server is, and what it is. */
interface NatsAddress {
  url: string;
  port: number;
  version: string;
}

/** A running embedded nats-server. */
export type EmbeddedNats = ManagedServer & NatsAddress;

/**
 * JetStream acknowledges before it syncs to disk, and by default syncs every 2 minutes. A power cut can cost that much;
 * a kill of the process costs nothing. PostgreSQL has every event and can publish it again, so the broker need not be
 * as durable: 10 s keep such a replay short, and have no measurable cost. `always` would cost one fsync for each
 * message or batch, on the disk on which PostgreSQL syncs its commits too.
 */
const syncInterval = '10s';
const fileStoreBytesMaxDefault = 16 * 1024 ** 3;
const memoryStoreBytesMax = 64 * 1024 ** 2;
const payloadBytesMax = 1024 ** 2;
const connectTimeoutMs = 2_000;
const stopSteps = [
  { signal: 'SIGTERM', timeoutMs: 10_000 },
  { signal: 'SIGKILL', timeoutMs: 5_000 },
] as const;

/**
 * Starts nats-server on 127.0.0.1 with its store below `dataDir`. Resolves when it serves JetStream. If a killed
 * service has left a server on the same store, that one is stopped first: two servers would destroy the store. There
 * are no credentials, because the server is on loopback only. Throws if the server does not start; the message ends
 * with the last lines of its log. After an abort of `signal` it throws the signal's reason. The server has ended then.
 */
export async function startEmbeddedNats(options: EmbeddedNatsOptions): Promise<EmbeddedNats> {
  const { logger, startTimeoutMs = 60_000, signal } = options;
  const startedAtMs = performance.now();
  mkdirSync(resolve(options.dataDir), { recursive: true, mode: 0o711 });
  // One spelling of the path: a server of an earlier run is recognized by it.
  const dataDir = realpathSync(resolve(options.dataDir));
  const directory = join(dataDir, 'nats');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const configFile = join(directory, 'nats.conf');
  const pidFile = join(directory, 'nats.pid');
  await stopEarlierServer(pidFile, configFile, logger);
  // Their names have process ids, which may come again.
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.ports')) rmSync(join(directory, name));
  }
  const chosenPort = await choosePort(dataDir, 'nats', options.port ?? 0, logger);
  signal?.throwIfAborted();
  writeFileSync(configFile, configuration(directory, chosenPort, options), { mode: 0o600 });
  const server = await startServer(
    {
      name: 'nats-server',
      command: options.binary,
      args: ['-c', configFile],
      spawnOptions: { cwd: '/', env: goMemory() },
      logPath: `${directory}.log`,
      stopSteps,
      logger,
      deadlineMs: startedAtMs + startTimeoutMs,
      signal,
    },
    (pid) => {
      // In the turn of the start: a service that is killed now must not leave a server that nobody knows.
      if (!existsSync(pidFile)) writeFileSync(pidFile, `${pid}\n`, { mode: 0o600 });
      return readWhenReady(directory, pid);
    },
  );
  const durationMs = Math.round(performance.now() - startedAtMs);
  const { pid, port, version } = server;
  logger.info({ pid, port, version, durationMs }, 'embedded nats-server is ready');
  // It speaks first.
  return { ...server, answers: (timeoutMs) => answersOn(port, Buffer.alloc(0), timeoutMs) };
}

// nats-server writes `<program>_<pid>.ports` when it accepts connections.
async function readWhenReady(directory: string, pid: number): Promise<NatsAddress | string> {
  const name = readdirSync(directory).find((entry) => entry.endsWith(`_${pid}.ports`));
  if (name === undefined) return 'it has not written its port yet';
  try {
    const { nats } = JSON.parse(readFileSync(join(directory, name), 'utf8')) as { nats: [string] };
    const url = nats[0];
    const connection = await connect({ servers: url, reconnect: false, timeout: connectTimeoutMs });
    const { jetstream, version } = connection.info ?? {};
    await connection.close();
    if (jetstream !== true || version === undefined) return 'it does not serve JetStream yet';
    return { url, port: Number(new URL(url).port), version };
  } catch (error) {
    return (error as Error).message;
  }
}

function configuration(
  directory: string,
  port: number,
  { fileStoreBytesMax = fileStoreBytesMaxDefault }: EmbeddedNatsOptions,
): string {
  // JSON's strings are valid in this format, with the same escapes, so any path is safe.
  const text = (value: string): string => JSON.stringify(value);
  return `# Written at every start of the service: changes here are lost.
server_name: charge-embedded
host: 127.0.0.1
port: ${port}
ports_file_dir: ${text(directory)}
max_payload: ${payloadBytesMax}
jetstream {
  store_dir: ${text(directory)}
  max_memory_store: ${memoryStoreBytesMax}
  max_file_store: ${fileStoreBytesMax}
  sync_interval: ${syncInterval}
}
`;
}

async function stopEarlierServer(pidFile: string, configFile: string, logger: Logger): Promise<void> {
  const pid = existsSync(pidFile) ? Number.parseInt(readFileSync(pidFile, 'utf8'), 10) : 0;
  // The id may belong to another program now: only the command line with this configuration proves that it does not.
  if (pid > 0 && isAlive(pid) && commandLineOf(pid)?.includes(configFile)) {
    logger.warn({ pid }, 'stopping the nats-server that an earlier run left on this DATA_DIR');
    await stopProcess('nats-server', pid, stopSteps, logger);
  }
  rmSync(pidFile, { force: true });
}

/**
 * Go collects garbage less often in a larger heap, and all the time near its limit. The broker remembers the message
 * ids of two minutes: under load for longer than that, a limit of 512 MiB cost 20 µs of CPU per event instead of 9.
 */
function goMemory(): NodeJS.ProcessEnv {
  return { GOGC: '400', GOMEMLIMIT: `${serverMemoryBytes()}B` };
}
