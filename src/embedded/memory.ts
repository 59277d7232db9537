/** How much of the machine's memory an embedded server may use. */
import { totalmem } from 'node:os';

const share = 8;
const bytesMax = 2 * 1024 ** 3;

/**
 * For PostgreSQL's buffers, and for the heap of nats-server: an eighth of the machine, or of the container, because
 * other programs run on a laptop too; 2 GiB at most. Neither takes it before it has use for it.
 */
export function serverMemoryBytes(): number {
  const machineBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  return Math.min(bytesMax, Math.floor(machineBytes / share));
}
