/** CPU time of the processes that took part in a round, from /proc (Linux only). */

import { readdirSync, readFileSync } from 'node:fs';

import type { Environment } from './environment.ts';

/** Linux reports CPU time to programs in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** CPU seconds by who spent them. */
export interface CpuSeconds {
  /** Processes that take the calls; if there are none, those that write. */
  readonly server: number;
  /** The supervisor of the service, which runs the relay. */
  readonly relay: number;
  /** Every process of PostgreSQL. */
  readonly database: number;
  readonly nats: number;
  /** The load generator. */
  readonly client: number;
}

/** Process ids of a contender; PostgreSQL and nats-server are the environment's. */
export interface Parties {
  /** Each with its descendants. */
  readonly server?: readonly number[];
  /** Without its descendants. */
  readonly relay?: number;
  readonly client?: number;
}

/** Runs `work` and measures the CPU time of everybody involved. */
export async function metered<T>(
  environment: Environment,
  parties: Parties,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly cpuSeconds: CpuSeconds }> {
  const before = read(environment, parties);
  const result = await work();
  const after = read(environment, parties);
  return {
    result,
    cpuSeconds: {
      server: after.server - before.server,
      relay: after.relay - before.relay,
      database: after.database - before.database,
      nats: after.nats - before.nats,
      client: after.client - before.client,
    },
  };
}

/** Direct children of a process. */
export function childrenOf(pid: number): number[] {
  return [...readProcesses()].filter(([, { parent }]) => parent === pid).map(([child]) => child);
}

function read(environment: Environment, { server = [], relay, client }: Parties): CpuSeconds {
  const processes = readProcesses();
  const own = (pid: number): number => processes.get(pid)?.cpuSeconds ?? 0;
  const tree = (pid: number): number =>
    [...processes].reduce((sum, [child, { parent }]) => (parent === pid ? sum + tree(child) : sum), own(pid));
  return {
    server: server.reduce((sum, pid) => sum + tree(pid), 0),
    relay: relay === undefined ? 0 : own(relay),
    database: tree(environment.postgres.pid),
    nats: tree(environment.nats.pid),
    client: client === undefined ? 0 : tree(client),
  };
}

interface ProcessStat {
  readonly parent: number;
  /** Of all its threads, and of its children that have ended. */
  readonly cpuSeconds: number;
}

/** All processes of the machine, by process id. */
function readProcesses(): Map<number, ProcessStat> {
  const found = new Map<number, ProcessStat>();
  for (const pid of readdirSync('/proc')) {
    const stat = /^\d+$/.test(pid) ? readStat(pid) : undefined;
    if (stat !== undefined) found.set(Number(pid), stat);
  }
  return found;
}

/** Undefined if the process has just ended. */
function readStat(pid: string): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything; the fields after it begin with the state.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), cpuSeconds: ticks / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
}
