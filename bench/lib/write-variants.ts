/** The write statement, and what it would cost if something about it were different. */

import type pg from 'pg';

import { DEFAULT_TENANT } from '../../src/charges/charge.ts';
import type { ChargeRow } from '../../src/charges/entity.ts';
import { type ChargeSource, newChargeSource, textIdChargeSource } from './new-charges.ts';
import { COLUMNS, INSERT } from './write-statement.ts';

/** One way to write a group of charges, on a database of its own. */
export interface WriteVariant {
  readonly name: string;
  /** Run after the migrations. */
  readonly prepare: readonly string[];
  readonly source: () => ChargeSource;
  readonly write: (client: pg.Client, charges: readonly ChargeRow[]) => Promise<unknown>;
}

/** What the service does; everything else is compared with it. */
export const AS_IT_IS: WriteVariant = {
  name: 'as it is',
  prepare: [],
  source: newChargeSource,
  write: (client, charges) => INSERT.run(client, DEFAULT_TENANT, charges, 'expectNew'),
};

const ARRAYS = COLUMNS.selectList(2).replaceAll('unnest(', '').replaceAll(')', '');

function bare(name: string, rows: string): WriteVariant {
  const text = `INSERT INTO charge (tenant, ${COLUMNS.names}) ${rows}`;
  return {
    ...AS_IT_IS,
    name,
    write: (client, charges) =>
      client.query({ name: 'bare', text, values: [DEFAULT_TENANT, ...COLUMNS.parameters(charges)] }),
  };
}

function without(name: string, ...prepare: string[]): WriteVariant {
  return { ...AS_IT_IS, name: `without the ${name}`, prepare };
}

/** An index of lists that ends with the id, which would need no sort behind it. */
function endingWithId(name: string, columns: string): string[] {
  return [
    `DROP INDEX charge_${name}_idx`,
    `CREATE INDEX charge_${name}_idx ON charge (tenant, ${columns}, id)`,
  ];
}

/** In the order in which they are printed. */
export const WRITE_VARIANTS: readonly WriteVariant[] = [
  AS_IT_IS,
  {
    ...AS_IT_IS,
    name: 'ON CONFLICT DO NOTHING',
    write: (client, charges) => INSERT.run(client, DEFAULT_TENANT, charges, 'skipExisting'),
  },
  bare('no journal', `SELECT $1::text, ${COLUMNS.selectList(2)}`),
  bare('… and one unnest() in FROM', `SELECT $1::text, input.* FROM unnest(${ARRAYS}) AS input`),
  { ...AS_IT_IS, name: 'request ids that are no UUIDs', source: textIdChargeSource },
  {
    ...AS_IT_IS,
    name: 'journal compressed',
    prepare: ['ALTER TABLE journal ALTER charge_ids SET STORAGE EXTENDED'],
  },
  {
    ...AS_IT_IS,
    name: 'indexes of lists end with the id',
    prepare: [
      ...endingWithId('usage_time', 'usage_time'),
      ...endingWithId('user_profile', 'user_profile, usage_time'),
      ...endingWithId('session_key', 'session_key, usage_time'),
    ],
  },
  without('session index', 'DROP INDEX charge_session_key_idx'),
  without('user index', 'DROP INDEX charge_user_profile_idx'),
  without('usage time index', 'DROP INDEX charge_usage_time_idx'),
  without('request key', 'ALTER TABLE charge DROP CONSTRAINT charge_request_key'),
  without('primary key', 'ALTER TABLE charge DROP CONSTRAINT charge_pkey'),
];
