/** Ports of the embedded servers. They are chosen once and kept in DATA_DIR, so that other programs can rely on them. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { StartError } from '../errors/start-error.ts';
import type { Logger } from './process.ts';

/** The servers that have a port. */
export type EmbeddedServer = 'postgres' | 'nats';

const SERVERS = {
  postgres: { name: 'PostgreSQL', variable: 'EMBEDDED_POSTGRES_PORT' },
  nats: { name: 'nats-server', variable: 'EMBEDDED_NATS_PORT' },
} as const;

/**
 * Below the ports that operating systems give to outgoing connections (from 32768 on Linux): one of those would often
 * be taken at a later start. By chance, so that two DATA_DIRs that never ran at the same time have different ports too.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;
const ATTEMPTS_MAX = 100;

/**
 * Resolves to the port of 127.0.0.1 on which a server is to listen; it was free a moment ago. With `wanted` 0 that is
 * the port that is kept in `dataDir`; if there is none yet, or another program uses it now, a new one is chosen and
 * kept. Any other `wanted` port has to be free: rejects if it is not, and says what to do.
 */
export async function choosePort(
  dataDir: string,
  server: EmbeddedServer,
  wanted: number,
  logger: Logger,
): Promise<number> {
  const { name, variable } = SERVERS[server];
  if (wanted !== 0) {
    if (await isFree(wanted)) return wanted;
    throw new StartError(
      `another program uses port ${wanted} of 127.0.0.1, the port of the embedded ${name} (${variable}): ` +
        `stop that program, or set ${variable} to another port`,
    );
  }
  const kept = readPorts(dataDir)[server];
  if (kept !== undefined && (await isFree(kept))) return kept;
  const port = await findFreePort();
  keepPort(dataDir, server, port);
  if (kept !== undefined) {
    logger.warn(
      { port: kept, newPort: port },
      `another program uses port ${kept}, which the embedded ${name} had so far: it has port ${port} from now on; ` +
        `set ${variable} to choose one yourself`,
    );
  }
  return port;
}

/** Keeps a port for later starts with `wanted` 0. Synchronous, because both servers start at the same time. */
function keepPort(dataDir: string, server: EmbeddedServer, port: number): void {
  const path = portsFile(dataDir);
  writeFileSync(`${path}.new`, `${JSON.stringify({ ...readPorts(dataDir), [server]: port })}\n`);
  renameSync(`${path}.new`, path);
}

type Ports = Partial<Record<EmbeddedServer, number>>;

function portsFile(dataDir: string): string {
  return join(dataDir, 'ports.json');
}

/** A file that is missing or damaged keeps nothing. */
function readPorts(dataDir: string): Ports {
  try {
    const kept = JSON.parse(readFileSync(portsFile(dataDir), 'utf8')) as Ports;
    return Object.fromEntries(Object.entries(kept).filter(([, port]) => port > 0 && port <= 65_535));
  } catch {
    return {};
  }
}

async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (await isFree(port)) return port;
  }
  throw new StartError(`found no free port from ${FIRST_PORT} to ${LAST_PORT} of 127.0.0.1`);
}

/** Whether a server can listen on this port now. */
async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    await once(probe.listen({ host: '127.0.0.1', port, exclusive: true }), 'listening');
  } catch {
    return false;
  }
  await once(probe.close(), 'close');
  return true;
}
