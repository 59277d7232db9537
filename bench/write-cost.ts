/**
 * What a charge costs PostgreSQL: CPU time of the process that runs the write statement, and bytes on
 * disk. No peer and no target: it says where the cost lies, and what a decision of the schema or the
 * statement buys. Variants take turns in every round, each in a database of its own.
 *
 *   node bench/write-cost.ts [--rounds 5]
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';

import { startEmbeddedPostgres } from '../src/embedded/postgres.ts';
import { migrate } from '../src/database/migrate.ts';
import { mainThreadCpuNanos } from './lib/cpu.ts';
import { bytesPerCharge, readFootprint } from './lib/footprint.ts';
import { type ChargeSource, spreadChargeSource } from './lib/new-charges.ts';
import { median } from './lib/stats.ts';
import { AS_IT_IS, WRITE_VARIANTS, type WriteVariant } from './lib/write-variants.ts';

/** Groups under load: of a batch, of 256 calls in flight, and of a caller alone. */
const SIZES = [500, 50, 1] as const;
/** Rows of a round: many groups, and few milliseconds next to the other load of the machine. */
const ROWS = { 500: 3000, 50: 3000, 1: 100 } as const;
/** Pages of the indexes have to split, and PostgreSQL plans a statement for good at its sixth run. */
const WARM_UP_ROWS = 20_000;
const FOOTPRINT_ROWS = 100_000;
const FOOTPRINT_SIZE = 50;

/** Nothing of the server's own may fall into the turn of one variant and not of another. */
const SETTINGS = { autovacuum: 'off', checkpoint_timeout: '1h', max_wal_size: '16GB' };

interface Subject {
  readonly variant: WriteVariant;
  readonly client: pg.Client;
  readonly pid: number;
  readonly databaseUrl: string;
  readonly next: ChargeSource;
}

/** Of the server process, in microseconds per row. */
async function cpuMicrosPerRow({ variant, client, pid, next }: Subject, size: number, rows: number) {
  const groups = Array.from({ length: rows / size }, () => next(size));
  const startedAt = mainThreadCpuNanos(pid);
  for (const group of groups) await variant.write(client, group);
  return (mainThreadCpuNanos(pid) - startedAt) / 1000 / rows;
}

async function openSubject(adminUrl: string, name: string, variant: WriteVariant): Promise<Subject> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  await migrate(url.href, { lockTimeoutMs: 30_000 });
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  for (const sql of variant.prepare) await client.query(sql);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return { variant, client, pid: rows[0]?.pid ?? 0, databaseUrl: url.href, next: variant.source() };
}

async function printCpu(subjects: readonly Subject[], rounds: number): Promise<void> {
  for (const subject of subjects) await cpuMicrosPerRow(subject, 500, WARM_UP_ROWS);
  const columns: string[][] = subjects.map(({ variant }) => [variant.name.padEnd(34)]);
  for (const size of SIZES) {
    const micros = subjects.map((): number[] => []);
    for (let round = 0; round < rounds; round++) {
      // Every other round the other way, so that nobody always follows the same neighbour.
      const turns = [...subjects.keys()];
      if (round % 2 === 1) turns.reverse();
      for (const turn of turns) {
        const subject = subjects[turn];
        if (subject !== undefined) micros[turn]?.push(await cpuMicrosPerRow(subject, size, ROWS[size]));
      }
    }
    const base = micros[0] ?? [];
    for (const [index, values] of micros.entries()) {
      // Rounds are compared with themselves: the machine's speed changes between them.
      const ratio = median(values.map((value, round) => value / (base[round] ?? NaN)));
      columns[index]?.push(median(values).toFixed(1).padStart(8), `×${ratio.toFixed(2)}`);
    }
  }
  console.log(`CPU µs of PostgreSQL per charge, groups of ${SIZES.join(', ')}; × the first line`);
  for (const column of columns) console.log(column.join('  '));
}

async function printFootprint(adminUrl: string): Promise<void> {
  const shapes = [
    { name: 'at full speed', database: 'burst', source: AS_IT_IS.source },
    { name: 'a charge a millisecond, overlapping sessions', database: 'spread', source: spreadChargeSource },
  ];
  console.log(`\nbytes on disk per charge, ${FOOTPRINT_ROWS} written in groups of ${FOOTPRINT_SIZE}`);
  for (const { name, database, source } of shapes) {
    const subject = await openSubject(adminUrl, database, { ...AS_IT_IS, source });
    for (let rows = 0; rows < FOOTPRINT_ROWS; rows += 1000) {
      await cpuMicrosPerRow(subject, FOOTPRINT_SIZE, 1000);
    }
    await subject.client.end();
    const footprint = await readFootprint(subject.databaseUrl);
    const parts = Object.entries(footprint.bytes).map(
      ([part, bytes]) => `${part} ${(bytes / footprint.charges).toFixed(1)}`,
    );
    console.log(`${name}: ${bytesPerCharge(footprint)} (${parts.join(', ')})`);
  }
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
// A reader that leaves (`| head`) must not leave PostgreSQL behind.
process.stdout.on('error', () => undefined);
const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };
const dataDir = await mkdtemp(join(tmpdir(), 'charge-write-cost-'));
const postgres = await startEmbeddedPostgres({ dataDir, logger: quiet, settings: SETTINGS });
try {
  const subjects: Subject[] = [];
  for (const [index, variant] of WRITE_VARIANTS.entries()) {
    subjects.push(await openSubject(postgres.url, `variant_${index}`, variant));
  }
  await printCpu(subjects, Number(values.rounds));
  for (const { client } of subjects) await client.end();
  await printFootprint(postgres.url);
} finally {
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}
