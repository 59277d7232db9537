/** A real nats-server with JetStream for a suite. The suite may stop, kill and restart it. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  startEmbeddedNats,
  type EmbeddedNats,
  type EmbeddedNatsOptions,
} from '../../src/embedded/nats-server.ts';
import { waitUntilGone, type Logger } from '../../src/embedded/process.ts';

/** A nats-server for one suite, in a directory below that of the run. */
export interface TestNats {
  readonly url: string;
  readonly port: number;
  /** The id of the current process; changes with `restart()`. */
  readonly pid: number;
  /** Stops the server and removes its store. Any number of calls, also after `kill()`. */
  stop(): Promise<void>;
  /** Sends SIGKILL and resolves when the process has ended. The store stays. */
  kill(): Promise<void>;
  /** Stops the server unless it has ended already, and starts it on the same port and store. */
  restart(): Promise<void>;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Starts a server on a free port. Throws if the global set-up found no nats-server. */
export async function startTestNats(
  options: Partial<Pick<EmbeddedNatsOptions, 'port' | 'fileStoreBytesMax' | 'logger'>> = {},
): Promise<TestNats> {
  const binary = process.env['TEST_NATS_SERVER_BINARY'];
  const runDirectory = process.env['CHARGE_TEST_RUN_DIR'];
  if (binary === undefined || runDirectory === undefined) {
    throw new Error(
      'TEST_NATS_SERVER_BINARY or CHARGE_TEST_RUN_DIR is not set: see the messages of the test set-up',
    );
  }
  const dataDir = join(runDirectory, `nats-${randomBytes(6).toString('hex')}`);
  mkdirSync(dataDir);
  const start = (port: number): Promise<EmbeddedNats> =>
    startEmbeddedNats({ logger: silent, ...options, dataDir, binary, port });
  let server = await start(options.port ?? 0);
  return {
    get url() {
      return server.url;
    },
    get port() {
      return server.port;
    },
    get pid() {
      return server.pid;
    },
    stop: async () => {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      if (!(await waitUntilGone(server.pid, 5_000)))
        throw new Error(`nats-server ${String(server.pid)} survived SIGKILL`);
    },
    restart: async () => {
      await server.stop();
      server = await start(server.port);
    },
  };
}
