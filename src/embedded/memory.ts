/** How much of the machine's memory an embedded server may use. */
import { totalmem } from 'node:os';

const share = 8;
const bytesMax = 2 * 1024 ** 3;

/**
 * The limit for PostgreSQL's buffers, and for the heap of nats-server: an eighth of the memory of the machine or the
 * container, because other programs run on a laptop too, and 2 GiB at most. Both servers take it only when they need it.
 */
export function serverMemoryBytes(): number {
  const machineBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  return Math.min(bytesMax, Math.floor(machineBytes / share));
}
