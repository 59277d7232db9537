/** docs/erasure.md decides about every column that can hold a text or an id. A new one has to be decided there. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { createMigratedDatabase, query } from '../support/database.ts';
import { ROOT } from '../support/tools.ts';

const COLUMNS = `
SELECT relname || '.' || attname AS name
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND attnum > 0 AND NOT attisdropped AND attname <> 'tenant' AND NOT (atttypid::regtype::text = ANY ('{smallint,integer,bigint,numeric,boolean,timestamp with time zone}'))`;

/** The columns that the tables of the document name: `table.column` in the first cell of a row. */
function decidedColumns(): string[] {
  const text = readFileSync(join(ROOT, 'docs/erasure.md'), 'utf8');
  return text.split('\n').flatMap((line) => {
    const cell = /^\| (`[^|]+`) +\| +\S/.exec(line)?.[1] ?? '';
    return [...cell.matchAll(/`(\w+)\.([\w, ]+)`/g)].flatMap(([, table = '', names = '']) =>
      names.split(', ').map((name) => `${table}.${name}`),
    );
  });
}

test('every column is decided once, and no column that is not there', async () => {
  const database = await createMigratedDatabase();
  try {
    const columns = (await query(database.url, COLUMNS)).map(({ name }) => String(name));
    expect(columns.length).toBeGreaterThan(60);
    expect(decidedColumns().toSorted()).toEqual(columns.toSorted());
  } finally {
    await database.drop();
  }
});
