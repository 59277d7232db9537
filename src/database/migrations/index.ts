/** Every migration, in order. Append-only: a landed migration never changes. */

import { BookOfRecord } from './20261123000001-book-of-record.ts';

export const migrations = [{ name: '20261123000001-book-of-record', class: BookOfRecord }];
