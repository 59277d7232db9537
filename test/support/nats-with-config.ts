/** A nats-server with a configuration of the test: users, accounts, TLS. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { waitUntilGone } from '../../src/embedded/process.ts';
import { waitFor } from './wait-for.ts';

/** A running server. */
export interface ConfiguredNats {
  /** Without credentials. */
  readonly url: string;
  /** For files of the test. It is removed with the server. */
  readonly directory: string;
  /** Stops the server, and starts it on the same port and store with another configuration. */
  restart(config: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a server with JetStream on a free port of 127.0.0.1. `config` is in the language of nats-server's
 * configuration files; port and store are added.
 */
export async function startNatsWith(config: string): Promise<ConfiguredNats> {
  const binary = process.env['TEST_NATS_SERVER_BINARY'];
  const runDirectory = process.env['CHARGE_TEST_RUN_DIR'];
  if (binary === undefined || runDirectory === undefined)
    throw new Error('run the tests through jest.config.js');
  const directory = join(runDirectory, `nats-${randomBytes(6).toString('hex')}`);
  mkdirSync(directory);
  const start = async (text: string, port: number) => {
    for (const name of readdirSync(directory)) if (name.endsWith('.ports')) rmSync(join(directory, name));
    const file = join(directory, 'nats.conf');
    const store = JSON.stringify(join(directory, 'store'));
    writeFileSync(
      file,
      `host: 127.0.0.1\nport: ${port}\nports_file_dir: ${JSON.stringify(directory)}\njetstream { store_dir: ${store} }\n${text}`,
    );
    const child = spawn(binary, ['-c', file, '-l', join(directory, 'nats.log')], {
      cwd: '/',
      stdio: 'ignore',
    });
    const ports = await waitFor('nats-server', () => {
      if (child.exitCode !== null) return 'ended';
      const name = readdirSync(directory).find((entry) => entry.endsWith(`_${child.pid}.ports`));
      return name !== undefined && existsSync(join(directory, name))
        ? readFileSync(join(directory, name), 'utf8')
        : '';
    });
    if (ports === 'ended') throw new Error(readFileSync(join(directory, 'nats.log'), 'utf8'));
    const { nats } = JSON.parse(ports) as { nats: [string] };
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM');
      if (!(await waitUntilGone(child.pid ?? 0, 10_000))) child.kill('SIGKILL');
    };
    return { port: Number(new URL(nats[0]).port), stop };
  };
  let server = await start(config, -1);
  return {
    url: `nats://127.0.0.1:${server.port}`,
    directory,
    restart: async (text) => {
      await server.stop();
      server = await start(text, server.port);
    },
    stop: async () => {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
