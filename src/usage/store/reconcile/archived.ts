/** Charges that were removed on purpose count as existing. The one place that knows of them. */

import type { EntityManager } from '@mikro-orm/postgresql';

/** How far charges were removed on purpose. */
export interface Archived {
  /** The sums of days that begin before this time cannot be compared with charges; undefined: those of all days can. */
  readonly endTimeMicros: bigint | undefined;
  /** Up to this number of the journal, new costs of charges may be gone. */
  readonly sequence: bigint;
}

/** What was archived of a tenant. Nothing can be yet. */
export const archivedOf: (em: EntityManager, tenant: string) => Promise<Archived> = () =>
  Promise.resolve({ endTimeMicros: undefined, sequence: 0n });

/** SQL of a relation of every charge that was ever recorded, with `tenant`, `id`, `amends` and `usage_time`. */
export const RECORDED_CHARGES = 'charge';
