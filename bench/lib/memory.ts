/** Memory of processes while something runs. */

import { ProcessTable } from './cpu.ts';

const PERIOD_MS = 50;
const MIB = 1024 * 1024;

/** Peak of the resident memory of each process, added up, in MiB. */
export interface MemoryPeak {
  readonly beforeMib: number;
  readonly peakMib: number;
  readonly afterMib: number;
}

/** Looks twenty times a second while `work` runs. */
export async function watchMemory(
  pids: readonly number[],
  work: () => Promise<unknown>,
): Promise<MemoryPeak> {
  const look = (): number => {
    const table = new ProcessTable();
    return pids.reduce((sum, pid) => sum + table.rssBytes(pid), 0);
  };
  const before = look();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, look());
  }, PERIOD_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return { beforeMib: toMib(before), peakMib: toMib(peak), afterMib: toMib(look()) };
}

function toMib(bytes: number): number {
  return Math.round(bytes / MIB);
}
