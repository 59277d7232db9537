/** CPU time and memory of whole process trees, from /proc. */

import { readdirSync, readFileSync } from 'node:fs';

/** Linux reports CPU time in hundredths of a second to every program, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
  readonly rssBytes: number;
}

/** A look at all processes of the machine. */
export class ProcessTable {
  readonly #stats = new Map<number, ProcessStat>();
  readonly #children = new Map<number, number[]>();

  constructor() {
    for (const name of readdirSync('/proc')) {
      const stat = /^\d+$/.test(name) ? readStat(name) : undefined;
      if (stat === undefined) continue;
      this.#stats.set(stat.pid, stat);
      const siblings = this.#children.get(stat.parent);
      if (siblings === undefined) this.#children.set(stat.parent, [stat.pid]);
      else siblings.push(stat.pid);
    }
  }

  /** Direct children of a process. */
  childrenOf(pid: number): readonly number[] {
    return this.#children.get(pid) ?? [];
  }

  /** CPU seconds of a process with all its threads, and of its children that have ended. */
  ownCpuSeconds(pid: number): number {
    return (this.#stats.get(pid)?.ticks ?? 0) / TICKS_PER_SECOND;
  }

  /** The same for a process and everything below it. */
  cpuSeconds(pid: number): number {
    return this.childrenOf(pid).reduce((sum, child) => sum + this.cpuSeconds(child), this.ownCpuSeconds(pid));
  }

  /** Resident memory of one process. */
  rssBytes(pid: number): number {
    return this.#stats.get(pid)?.rssBytes ?? 0;
  }
}

/**
 * CPU time of the main thread of one process, to the nanosecond: the hundredths of a second in `stat`
 * are as long as hundreds of rows. Linux only.
 */
export function mainThreadCpuNanos(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[0]);
}

/** Undefined when the process has just ended. */
function readStat(pid: string): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything; the fields behind it begin with the state.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [utime = 0, stime = 0, childrenUtime = 0, childrenStime = 0] = fields.slice(11, 15);
    return {
      pid: Number(pid),
      parent: fields[1] ?? 0,
      ticks: utime + stime + childrenUtime + childrenStime,
      rssBytes: (fields[21] ?? 0) * PAGE_BYTES,
    };
  } catch {
    return undefined;
  }
}
