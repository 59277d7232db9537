/** How much work something is, however busy the machine is. */

/**
 * CPU time of this thread in milliseconds that the work takes: the least of three times, because the first one compiles
 * and any one may collect garbage.
 */
export async function leastCpuMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let nth = 0; nth < 3; nth++) {
    const before = process.threadCpuUsage();
    await work();
    const { user, system } = process.threadCpuUsage(before);
    times.push((user + system) / 1000);
  }
  return Math.min(...times);
}
