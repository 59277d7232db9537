/** Every migration, in order. Append-only: a landed migration never changes. */

import { ChargesAndJournal } from './20261123000001-charges-and-journal.ts';

export const migrations = [{ name: '20261123000001-charges-and-journal', class: ChargesAndJournal }];
