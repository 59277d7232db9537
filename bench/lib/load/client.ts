/** The bench's side of the load process. */

import { fileURLToPath } from 'node:url';

import { type Child, forkChild } from '../child.ts';
import type { Job, LoadMessage, LoadResult } from './jobs.ts';

/** A load generator in a process of its own. */
export interface LoadClient {
  readonly pid: number;
  run(job: Job): Promise<LoadResult>;
  stop(): Promise<void>;
}

/** Starts one. */
export async function startLoadClient(): Promise<LoadClient> {
  const child: Child = await forkChild(fileURLToPath(new URL('./process.ts', import.meta.url)));
  return {
    pid: child.pid,
    stop: () => child.stop(),
    run: async (job) => {
      const answer = await child.ask<LoadMessage>(job);
      if (answer.type !== 'result') throw new Error(`the load process answered ${answer.type}`);
      return answer.result;
    },
  };
}

/** Throws when any call was not answered OK: a round with refusals measures something else. */
export function expectAllOk(name: string, result: LoadResult): void {
  if (result.failed > 0)
    throw new Error(`${name}: ${result.failed} calls failed, ${result.ok} were answered OK`);
  if (result.ok === 0) throw new Error(`${name}: no call was answered`);
}
