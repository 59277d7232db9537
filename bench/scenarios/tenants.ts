/** Tenants beside each other: one that floods the write path and a quiet one, and 10,000 that are nearly idle. */

import { countCharges } from '../lib/audit.ts';
import { contender, openChild, openDatabase } from '../lib/contender.ts';
import { atMost, type Measurement, rates, type Scenario } from '../lib/scenario.ts';
import { addTenants, measureFollowing, type TenantJob } from '../lib/tenants.ts';

const LOADS = ['quiet', 'flood', 'quiet_beside_flood', 'many'] as const;
const p99 = (of: Measurement, to: Measurement): number => (of.p99Ms ?? NaN) / (to.p99Ms ?? NaN);

/** What a flood costs others, and what it costs to follow many journals. */
export const tenants: Scenario = {
  name: 'tenants',
  title:
    'The write path alone: 4 single calls of a quiet tenant beside 64 batches of 500 of another one; 10,000 tenants',
  open: async (context) => {
    const followedUrl = await openDatabase(context, 'tenants_followed');
    await addTenants(followedUrl);
    const { pollMs, lookMs, sumsSeconds } = await measureFollowing(followedUrl);
    context.report('tenants.poll_1000_of_10000_ms', { value: pollMs });
    context.report('tenants.look_at_10000_ms', { value: lookMs });
    context.report('tenants.sums_of_1000_of_10000_seconds', { value: sumsSeconds });
    const databaseUrl = await openDatabase(context, 'tenants');
    await addTenants(databaseUrl);
    const peer = await openChild<TenantJob>(context, 'peers/tenant-writer.ts', [databaseUrl]);
    context.note('no calls and no relay; p50 and p99 of quiet_beside_flood are those of the quiet tenant');
    return {
      unit: 'rows',
      contenders: LOADS.map((load) =>
        contender(context, {
          name: load,
          databaseUrl,
          count: () => countCharges(databaseUrl),
          parties: { server: [peer.pid] },
          run: (seconds) => peer.ask({ load, seconds }),
        }),
      ),
      ratios: [
        {
          key: 'tenants.quiet_p99_beside_flood_vs_alone',
          of: 'quiet_beside_flood',
          to: 'quiet',
          value: p99,
          target: atMost(20, 10),
        },
        {
          key: 'tenants.rows_beside_quiet_vs_flood_alone',
          of: 'quiet_beside_flood',
          to: 'flood',
          value: rates,
        },
        { key: 'tenants.many_vs_quiet', of: 'many', to: 'quiet', value: rates },
      ],
    };
  },
};
