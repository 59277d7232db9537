/** What entities have in common. */

import { p, type TriggerDef } from '@mikro-orm/core';

import {
  appendOnlyBody,
  archivableBody,
  erasableAndArchivableBody,
  erasableBody,
} from './migrations/append-only.ts';

/** A text that compares by its bytes, as the migrations make every text. */
export const text = () => p.text().collation('C');

/**
 * The trigger that refuses UPDATE and DELETE. It runs once per statement and never for an INSERT, so it
 * costs nothing, and it stops every other program on the database too. TRUNCATE has a trigger of its own,
 * which only the migration knows: MikroORM's comparison does not see it.
 */
export function appendOnly(table: string): TriggerDef {
  return {
    name: 'append_only',
    timing: 'before',
    events: ['update', 'delete'],
    forEach: 'statement',
    body: appendOnlyBody(table),
  };
}

/** The same for a table whose rows are removed when charges are archived. */
export function archivable(table: string): TriggerDef {
  return { ...appendOnly(table), body: archivableBody(table) };
}

/** The same for a table in whose rows persons are erased. */
export function erasable(table: string): TriggerDef {
  return { ...appendOnly(table), body: erasableBody(table) };
}

/** The same for charges, which are also archived. */
export function erasableAndArchivable(table: string): TriggerDef {
  return { ...appendOnly(table), body: erasableAndArchivableBody(table) };
}
