/** What charges take on disk. */

import pg from 'pg';

/** Size of everything that a charge needs space in, and how many charges there are. */
export interface Footprint {
  readonly charges: number;
  /** Main forks of tables and indexes by name; `journal` with what is stored out of line. */
  readonly bytes: Readonly<Record<string, number>>;
}

/** Measures the charges, their journal, and all indexes of both. */
export async function readFootprint(databaseUrl: string): Promise<Footprint> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string; bytes: string; charges: string }>(`
      SELECT relname AS name, CASE relkind WHEN 'r' THEN pg_table_size(oid) ELSE pg_relation_size(oid) END AS bytes,
             (SELECT count(*) FROM charge) AS charges
      FROM pg_class
      WHERE oid IN ('charge'::regclass, 'journal'::regclass) OR oid IN (
        SELECT indexrelid FROM pg_index WHERE indrelid IN ('charge'::regclass, 'journal'::regclass))
      ORDER BY relkind DESC, relname`);
    return {
      charges: Number(rows[0]?.charges),
      bytes: Object.fromEntries(rows.map(({ name, bytes }) => [name, Number(bytes)])),
    };
  } finally {
    await client.end();
  }
}

/** Bytes per charge of all parts together; of those that came after `before`, where it is given. */
export function bytesPerCharge(footprint: Footprint, before?: Footprint): number {
  const total = ({ bytes }: Footprint): number => Object.values(bytes).reduce((sum, part) => sum + part, 0);
  const grown = total(footprint) - (before === undefined ? 0 : total(before));
  return Math.round(grown / (footprint.charges - (before?.charges ?? 0)));
}
