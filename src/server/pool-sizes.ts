/** How many connections to PostgreSQL a server process opens at most. */

/** Connections of each pool, besides those of the writers. */
export const POOL_SIZES = { reads: 8, watches: 1, corrections: 3, comparisons: 1, access: 2 } as const;

/** One for each group that is written at once, and one for a tenant of whom nothing is being written (`GroupWriter`). */
export function writePoolSize(writers: number): number {
  return writers + 1;
}

/** Of all pools together. */
export function connectionsOfServer(writers: number): number {
  return Object.values(POOL_SIZES).reduce((sum, size) => sum + size, writePoolSize(writers));
}
