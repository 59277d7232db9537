/** What it costs to know the user profiles: the same service if the tenant refuses or creates unknown ones, and if it accepts them. */

import { UNKNOWN_USER_PROFILES } from '../../src/tenants/index.ts';
import { openDatabase } from '../lib/contender.ts';
import { withClient } from '../lib/environment.ts';
import { atLeast, type Contender, type Context, type Ratio, rates, type Scenario } from '../lib/scenario.ts';
import { openService, serviceContender } from '../lib/service-contender.ts';
import { workloadRows } from '../lib/workload.ts';

/** CreateCharge. */
export const profiles256: Scenario = {
  name: 'profiles_256',
  title:
    'CreateCharge, 256 calls in flight: unknown user profiles are refused, are created, and are accepted',
  open: async (context) => ({
    unit: 'rows',
    contenders: [
      await openSide(context, 'refuse'),
      await openSide(context, 'create'),
      await openSide(context, 'accept'),
    ],
    ratios: [ratio('access.profiles_on_vs_off', 'refuse'), ratio('access.profiles_create_vs_off', 'create')],
  }),
};

type Side = keyof typeof UNKNOWN_USER_PROFILES;

function ratio(key: string, of: Side): Ratio {
  return { key, target: atLeast(0.97, 1), of, to: 'accept', value: rates };
}

/** All of its user profiles exist, whatever the setting. */
async function openSide(context: Context, side: Side): Promise<Contender> {
  const name = `profiles_256_${side}`;
  const databaseUrl = await openDatabase(context, name);
  const ids = [...new Set(workloadRows().map(({ userProfile }) => userProfile))];
  await withClient(databaseUrl, async (client) => {
    await client.query("UPDATE tenant SET unknown_user_profiles = $1 WHERE tenant = 'default'", [
      UNKNOWN_USER_PROFILES[side],
    ]);
    await client.query(
      `INSERT INTO user_profile (tenant, id, create_time, update_time)
       SELECT 'default', unnest($1::text[]), now(), now()`,
      [ids],
    );
  });
  const service = await openService(context, name, { databaseUrl });
  return serviceContender(context, side, service, {
    kind: 'unary',
    body: { kind: 'create' },
    inFlight: 256,
  });
}
