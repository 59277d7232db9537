/** What the process roots may use of usage. They also use `rpc/service.ts`. */

export { usageEntities } from './entity.ts';
export { UsageFollower, type UsageFollowerEvents } from './store/journal-follower.ts';
export { keptSums } from './store/move-sums.ts';
export { createUsageReader } from './store/usage-reader.ts';
export { createReconciler } from './store/reconcile/reconciler.ts';
export { CHECK, type Finding, FINDING } from './reconcile.ts';
export type { Reconciler, StreamCheck } from './ports.ts';
