/** Every migration, in order. Append-only: a landed migration never changes. */

import { ChargesAndJournal } from './20261123000001-charges-and-journal.ts';
import { PricesAndCorrections } from './20261127000001-prices-and-corrections.ts';
import { Usage } from './20261128000001-usage.ts';
import { Archive } from './20261128000002-archive.ts';
import { Tenants } from './20261129000001-tenants.ts';
import { RowSecurity } from './20261129000002-row-security.ts';
import { Erasure } from './20261130000001-erasure.ts';

export const migrations = [
  { name: '20261123000001-charges-and-journal', class: ChargesAndJournal },
  { name: '20261127000001-prices-and-corrections', class: PricesAndCorrections },
  { name: '20261128000001-usage', class: Usage },
  { name: '20261128000002-archive', class: Archive },
  { name: '20261129000001-tenants', class: Tenants },
  { name: '20261129000002-row-security', class: RowSecurity },
  { name: '20261130000001-erasure', class: Erasure },
];
