/** Who spent how much CPU time while something ran. */

import { ProcessTable } from './cpu.ts';
import type { Environment } from './environment.ts';
import type { CpuSeconds } from './scenario.ts';

/** Process ids of a contender; PostgreSQL and nats-server are the environment's. */
export interface Parties {
  /** Each with everything below it. */
  readonly server?: readonly number[];
  /** Without the processes below it. */
  readonly relay?: number;
  readonly client?: number;
}

/** Runs `work` and adds up the CPU time of everybody involved. */
export async function metered<T>(
  environment: Environment,
  parties: Parties,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly cpuSeconds: CpuSeconds }> {
  const before = look(environment, parties);
  const result = await work();
  const after = look(environment, parties);
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

function look(environment: Environment, { server = [], relay, client }: Parties): CpuSeconds {
  const table = new ProcessTable();
  return {
    server: server.reduce((sum, pid) => sum + table.cpuSeconds(pid), 0),
    relay: relay === undefined ? 0 : table.ownCpuSeconds(relay),
    database: table.cpuSeconds(environment.postgres.pid),
    nats: table.cpuSeconds(environment.nats.pid),
    client: client === undefined ? 0 : table.cpuSeconds(client),
  };
}
