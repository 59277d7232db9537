/** Questions to UsageService beside the same questions in plain SQL, and how both grow with the book. */

import { askingContender } from '../lib/asking.ts';
import { openBook } from '../lib/books.ts';
import { withClient } from '../lib/environment.ts';
import {
  atMost,
  type Contender,
  type Context,
  quotientOf,
  type Ratio,
  type Scenario,
} from '../lib/scenario.ts';
import { openService } from '../lib/service-contender.ts';
import { ask, compare, openPlainClient, openUsageClient } from '../lib/usage-client.ts';
import { questionsOf, toPlainSql } from '../lib/usage-questions.ts';

const SIZES = [
  { name: '100k', charges: 100_000 },
  { name: '1m', charges: 1_000_000 },
  { name: '10m', charges: 10_000_000 },
] as const;
const QUICK_CHARGES_MAX = 100_000;

const TARGETS = {
  user_month: atMost(0.15, 0.05),
  user_month_kolkata: atMost(0.5, 0.1),
  everything: atMost(0.03, 0.01),
};
const BYTES_TARGET = atMost(450, 300);

/** One caller, one question after the other. Every answer is compared with the one of SQL. */
export const sums: Scenario = {
  name: 'sums',
  title: "Usage by model and day, one caller: the heaviest user's month, also in Kolkata, and everything",
  open: async (context) => {
    const sizes = SIZES.filter(({ charges }) => !context.quick || charges <= QUICK_CHARGES_MAX);
    const contenders: Contender[] = [];
    for (const { name, charges } of sizes) contenders.push(...(await openSize(context, name, charges)));
    const [smallest = SIZES[0], largest = SIZES[0]] = [sizes[0], sizes.at(-1)];
    const p50 = quotientOf(({ p50Ms = NaN }) => p50Ms);
    const ratios = Object.entries(TARGETS).flatMap(([question, target]): Ratio[] => [
      {
        key: `${question}.vs_sql`,
        of: `${question}_${largest.name}`,
        to: `${question}_sql_${largest.name}`,
        value: p50,
        target,
      },
      ...(sizes.length > 1 ? ['', '_sql'] : []).map((peer) => ({
        key: `${question}${peer}.at_${largest.name}_vs_at_${smallest.name}`,
        of: `${question}${peer}_${largest.name}`,
        to: `${question}${peer}_${smallest.name}`,
        value: p50,
      })),
    ]);
    return { unit: 'calls', contenders, ratios };
  },
};

async function openSize(context: Context, size: string, charges: number): Promise<Contender[]> {
  const book = await openBook(context, charges);
  const { databaseUrl } = book;
  const service = await openService(context, size, { databaseUrl });
  const client = openUsageClient(context, service.address);
  const plain = await openPlainClient(context, databaseUrl);
  const contenders: Contender[] = [];
  for (const question of questionsOf(book)) {
    const rows = await compare(client, plain, question);
    context.report(`${question.name}_${size}.rows`, { value: rows });
    const sql = toPlainSql(question, false);
    contenders.push(
      askingContender(context, `${question.name}_${size}`, service, async () => {
        const answer = await ask(client, question);
        if (answer.length !== rows) throw new Error(`${answer.length} rows instead of ${rows}`);
      }),
      askingContender(context, `${question.name}_sql_${size}`, service, () => plain.ask(sql)),
    );
  }
  const bytes = await bytesOf(databaseUrl);
  for (const [part, value] of Object.entries(bytes)) {
    const target = part === 'bytes_per_charge' && charges >= 1_000_000 ? BYTES_TARGET : undefined;
    context.report(size === '10m' ? part : `${part}_${size}`, { value: Math.round(value), target });
  }
  return contenders;
}

/** Bytes on disk a charge, with all indexes: all tables, and of that the charges, the journal and the kept sums. */
function bytesOf(databaseUrl: string): Promise<Record<string, number>> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<Record<string, string>>(`
      SELECT sum(pg_total_relation_size(oid)) AS bytes_per_charge,
        sum(pg_total_relation_size(oid)) FILTER (WHERE relname ~ '^charge') AS bytes_of_charges,
        sum(pg_total_relation_size(oid)) FILTER (WHERE relname = 'journal') AS bytes_of_journal,
        sum(pg_total_relation_size(oid)) FILTER (WHERE relname ~ '^usage') AS bytes_of_sums
      FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`);
    const { rows: counted } = await client.query<{ charges: string }>(
      'SELECT count(*) AS charges FROM charge',
    );
    const charges = Number(counted[0]?.charges);
    return Object.fromEntries(
      Object.entries(rows[0] ?? {}).map(([part, bytes]) => [part, Number(bytes) / charges]),
    );
  });
}
