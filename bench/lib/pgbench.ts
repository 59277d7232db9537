/** pgbench with the write path's statement, single and multi-row: PostgreSQL without Node. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Auditor, expectGrowth } from './audit.ts';
import { runProgram } from './child.ts';
import { metered } from './meter.ts';
import type { Contender, Context } from './scenario.ts';
import { findTool } from './tools.ts';

const SIZE = 500;
const WRITERS = 2;
const CALLERS = 16;
const SLACK_MS = 60_000;

/** As much as `npm run bench` needs to say what the database takes; none where pgbench is not installed. */
export async function pgbenchContenders(context: Context): Promise<Contender[]> {
  const pgbench = findTool('pgbench');
  if (pgbench === undefined) {
    context.note('SKIPPED pgbench: not found (Debian: postgresql-contrib, or postgresql-15)');
    return [];
  }
  context.note(
    `pgbench counts rows: single rows over ${CALLERS} connections, groups of ${SIZE} over ${WRITERS}; it makes its values in SQL`,
  );
  return [
    await contender(context, pgbench, { name: 'pgbench_single_row', rows: 1, connections: CALLERS }),
    await contender(context, pgbench, { name: 'pgbench_multi_row', rows: SIZE, connections: WRITERS }),
  ];
}

async function contender(
  context: Context,
  pgbench: string,
  { name, rows, connections }: { readonly name: string; readonly rows: number; readonly connections: number },
): Promise<Contender> {
  const { environment, stack } = context;
  const databaseUrl = await environment.createDatabase(name);
  stack.defer(() => environment.dropDatabase(name));
  const script = join(environment.directory, `${name}.sql`);
  writeFileSync(script, statement(rows).replaceAll('\n', ' '));
  const auditor = new Auditor(databaseUrl, environment.nats.url, undefined);
  return {
    name,
    settle: () => auditor.vacuum(),
    measure: async (seconds) => {
      const before = await auditor.count();
      const whole = Math.ceil(seconds);
      const args = [
        '-n',
        '-M',
        'prepared',
        '-f',
        script,
        '-c',
        String(connections),
        '-j',
        '1',
        '-T',
        String(whole),
        databaseUrl,
      ];
      const { result, cpuSeconds } = await metered(environment, {}, () =>
        runProgram(pgbench, args, { timeoutMs: whole * 1000 + SLACK_MS }),
      );
      const transactions = Number(/actually processed: (\d+)/.exec(result)?.[1]);
      const latency = Number(/latency average = ([\d.]+) ms/.exec(result)?.[1]);
      const count = transactions * rows;
      expectGrowth(name, before, await auditor.count(), count, ['charges', 'journal', 'head']);
      return { count, seconds: whole, p50Ms: latency, cpuSeconds };
    },
  };
}

/** The statement of `src/store/insert-charges.ts`, with rows made by the server instead of parameters. */
function statement(rows: number): string {
  return `
WITH input AS MATERIALIZED (
  SELECT uuidv7() AS id, gen_random_uuid() AS request_key, n FROM generate_series(1, ${rows}) AS n
), inserted AS (
  INSERT INTO charge (tenant, id, request_key, content_hash, user_profile, session_key, provider, charge_type,
    prompt_tokens, completion_tokens, total_tokens, model, usage_time, create_time)
  SELECT 'default', id, request_key, '00112233-4455-6677-8899-aabbccddeeff',
    'user-' || lpad((random() * 999)::int::text, 4, '0'), 'session-' || lpad(to_hex(n / 20), 8, '0'),
    1, 1, 374, 44, 418, 'gpt-4o', now(), now()
  FROM input ORDER BY request_key
  ON CONFLICT (tenant, request_key) DO NOTHING
  RETURNING id
), total AS (
  SELECT count(*) AS n, array_agg(id ORDER BY id) AS ids FROM inserted
), head AS (
  UPDATE journal_head SET last_sequence = last_sequence + total.n FROM total
  WHERE tenant = 'default' AND total.n > 0
  RETURNING last_sequence
), entry AS (
  INSERT INTO journal (tenant, last_sequence, charge_ids)
  SELECT 'default', (SELECT last_sequence FROM head), ids FROM total WHERE n > 0
)
SELECT (SELECT last_sequence FROM head) AS last FROM total;`;
}
