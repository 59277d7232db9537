/** A contender: its rounds, metered and audited, and what it opens. */

import { type Counts, expectGrowth, vacuum } from './audit.ts';
import { type Child, forkChild } from './child.ts';
import type { JobResult } from './child-main.ts';
import { metered, type Parties } from './cpu.ts';
import type { Contender, Context } from './scenario.ts';

/** How a contender does its work. */
export interface Work {
  readonly name: string;
  /** Counted before and after each round: every count must grow by the rows that were answered OK. */
  readonly count?: () => Promise<Counts>;
  /** Vacuumed between rounds. */
  readonly databaseUrl?: string;
  readonly parties: Parties;
  /** Before each round, not measured. */
  readonly prepare?: () => Promise<void>;
  /** One round. */
  readonly run: (seconds: number) => Promise<RoundResult>;
}

/** What a round did. */
export interface RoundResult extends JobResult {
  /** From the last answer to the acknowledgement of the last event. */
  readonly drainSeconds?: number;
  /** Instead of the CPU time of `parties.server`, if the server processes do not outlive the round. */
  readonly serverCpuSeconds?: number;
}

/** A contender whose rounds are metered and audited. */
export function contender({ environment }: Context, work: Work): Contender {
  const { name, databaseUrl, prepare, count = () => Promise.resolve({}) } = work;
  return {
    name,
    ...(databaseUrl !== undefined && { settle: () => vacuum(databaseUrl) }),
    measure: async (seconds) => {
      await prepare?.();
      const before = await count();
      const { result, cpuSeconds } = await metered(environment, work.parties, () => work.run(seconds));
      const { ok, failed, rows, serverCpuSeconds, ...times } = result;
      if (failed > 0) throw new Error(`${name}: ${failed} calls failed, ${ok} were answered OK`);
      if (ok === 0) throw new Error(`${name}: no call was answered`);
      expectGrowth(name, before, await count(), rows);
      return {
        ...times,
        count: rows,
        seconds: times.seconds + (times.drainSeconds ?? 0),
        cpuSeconds: { ...cpuSeconds, server: serverCpuSeconds ?? cpuSeconds.server },
      };
    },
  };
}

/** A database with the service's tables; it is dropped after the scenario. */
export async function openDatabase({ environment, stack }: Context, name: string): Promise<string> {
  const databaseUrl = await environment.createDatabase(name);
  stack.defer(() => environment.dropDatabase(name));
  return databaseUrl;
}

/** Forks a program of the folder `bench`; it is stopped after the scenario. */
export async function openChild<JobOfChild extends object, Ready = object>(
  { stack }: Context,
  name: string,
  args: readonly string[] = [],
): Promise<Child<JobOfChild, Ready>> {
  const child = await forkChild<JobOfChild, Ready>(name, args);
  stack.defer(() => child.stop());
  return child;
}
