/** Every scenario, in the order of a full run. */

import type { Scenario } from '../lib/scenario.ts';
import { access256, access500 } from './access.ts';
import { batch500 } from './batch-500.ts';
import { confirm } from './confirm.ts';
import { create1 } from './create-1.ts';
import { create256 } from './create-256.ts';
import { create64 } from './create-64.ts';
import { createAt } from './create-at.ts';
import { dashboards } from './dashboards.ts';
import { lists } from './lists.ts';
import { priced256, priced500 } from './priced.ts';
import { processes2 } from './processes-2.ts';
import { record } from './record.ts';
import { relay } from './relay.ts';
import { relayTenants } from './relay-tenants.ts';
import { reprice } from './reprice.ts';
import { rollups } from './rollups.ts';
import { sums } from './sums.ts';
import { tenants } from './tenants.ts';
import { voids } from './voids.ts';

/** By name on the command line. */
export const scenarios: readonly Scenario[] = [
  create256,
  create64,
  create1,
  batch500,
  record,
  relay,
  relayTenants,
  priced256,
  priced500,
  access256,
  access500,
  voids,
  reprice,
  processes2,
  tenants,
  createAt,
  sums,
  lists,
  rollups,
  dashboards,
  confirm,
];
