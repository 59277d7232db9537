/** Reads price versions for callers. */

import type { ReadConnections } from '../../database/read-connections.ts';
import type { PriceReader, Prices } from '../ports.ts';

/** The read side. `reads` makes errors of them that a caller may see. */
export function createPriceReader(reads: ReadConnections, prices: Prices): PriceReader {
  return {
    latest: (tenant) => reads.use(tenant, () => prices.reload(tenant)),
    including: (tenant, version) => reads.use(tenant, () => prices.including(tenant, version)),
  };
}
