/** The relay with 10,000 tenants, most of them idle: a backlog of a hundred of them, and its polls. */

import { chargeEntities } from '../../src/charges/index.ts';
import { openDatabase as connect } from '../../src/database/orm.ts';
import { journalEntities } from '../../src/journal/index.ts';
import { relayEntities } from '../../src/relay/index.ts';
import { readBacklogs } from '../../src/relay/store/relay-state.ts';
import { contender, openDatabase } from '../lib/contender.ts';
import { runSql } from '../lib/environment.ts';
import { fillCharges } from '../lib/fill.ts';
import { type Contender, type Context, quotientOf, rates, type Scenario } from '../lib/scenario.ts';
import { relayContender } from './relay.ts';

const TENANTS = 10_000;
/** Tenants with events that wait. */
const ACTIVE = 100;
const BACKLOG = 200_000;
const QUICK_BACKLOG = 50_000;

/** The same number of events of one tenant and of a hundred, and a poll of all tenants and of those that are named. */
export const relayTenants: Scenario = {
  name: 'relay_tenants',
  title: `the relay with ${TENANTS} tenants, ${ACTIVE} of them with a backlog`,
  open: async (context) => {
    const events = context.quick ? QUICK_BACKLOG : BACKLOG;
    context.note(`a round of a relay is a backlog of ${events} events; polls read up to ${ACTIVE} backlogs`);
    const one = await openDatabase(context, 'one_tenant');
    await fillCharges(one, events, false);
    const many = await openDatabase(context, 'many_tenants');
    await fillCharges(many, events, false);
    await runSql(many, ...spreadOverTenants());
    const reset = 'UPDATE relay_cursor SET published_sequence = 0';
    const polls = [
      { name: 'poll_all_100', active: ACTIVE, isNamed: false },
      { name: 'poll_all_1', active: 1, isNamed: false },
      { name: 'poll_named_100', active: ACTIVE, isNamed: true },
      { name: 'poll_named_1', active: 1, isNamed: true },
    ];
    const contenders = [
      await relayContender(context, 'relay_1_tenant', one, reset),
      await relayContender(
        context,
        'relay_100_tenants',
        many,
        `${reset} WHERE tenant <= '${tenantName(ACTIVE)}'`,
      ),
    ];
    for (const poll of polls) contenders.push(await pollContender(context, many, poll));
    const databaseMicros = quotientOf(({ cpuSeconds, count }) => cpuSeconds.database / count);
    return {
      unit: 'events',
      contenders,
      ratios: [
        { key: 'relay_tenants.relay_100_vs_1', of: 'relay_100_tenants', to: 'relay_1_tenant', value: rates },
        {
          key: 'relay_tenants.poll_named_vs_all',
          of: 'poll_named_100',
          to: 'poll_all_100',
          value: databaseMicros,
        },
      ],
    };
  },
};

const tenantName = (number: number): string => `t-${String(number).padStart(5, '0')}`;

/** Gives the charges of the one tenant to {@link ACTIVE} tenants, among others without a backlog. */
function spreadOverTenants(): string[] {
  const name = (number: string): string => `'t-' || lpad((${number})::text, 5, '0')`;
  return [
    'ALTER TABLE charge DISABLE TRIGGER USER',
    'ALTER TABLE journal DISABLE TRIGGER USER',
    `UPDATE charge SET tenant = ${name('1 + mod(abs(hashtext(id::text)::bigint), ' + String(ACTIVE) + ')')}`,
    'DELETE FROM journal',
    `INSERT INTO journal (tenant, last_sequence, kind, event_ids)
     SELECT tenant, max(sequence), 1, array_agg(id ORDER BY id)
     FROM (SELECT tenant, id, row_number() OVER (PARTITION BY tenant ORDER BY id) AS sequence FROM charge) AS numbered
     GROUP BY tenant, (sequence - 1) / 64`,
    'DELETE FROM journal_head',
    `INSERT INTO journal_head (tenant, last_sequence)
     SELECT name, coalesce((SELECT max(last_sequence) FROM journal WHERE tenant = name), 1000)
     FROM generate_series(1, ${TENANTS}) AS n, LATERAL (SELECT ${name('n')} AS name) AS named`,
    'INSERT INTO relay_cursor SELECT tenant, last_sequence FROM journal_head',
    'VACUUM (ANALYZE)',
  ];
}

interface Poll {
  readonly name: string;
  readonly active: number;
  readonly isNamed: boolean;
}

async function pollContender(context: Context, databaseUrl: string, poll: Poll): Promise<Contender> {
  const database = await connect({
    databaseUrl,
    poolSizeMax: 1,
    everyTenant: true,
    entities: [...chargeEntities, ...journalEntities, ...relayEntities],
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    applicationName: 'bench poll',
  });
  context.stack.defer(() => database.close());
  const named = Array.from({ length: poll.active }, (_, index) => tenantName(index + 1));
  return contender(context, {
    name: poll.name,
    parties: { server: [] },
    prepare: () =>
      runSql(
        databaseUrl,
        `UPDATE relay_cursor SET published_sequence = last_sequence - (relay_cursor.tenant <= '${tenantName(poll.active)}')::int
         FROM journal_head WHERE journal_head.tenant = relay_cursor.tenant`,
        'VACUUM (ANALYZE) relay_cursor',
      ),
    run: async (seconds) => {
      const startedAtMs = performance.now();
      let polls = 0;
      while (performance.now() - startedAtMs < seconds * 1_000) {
        const found = await readBacklogs(database.em, {
          tenants: poll.isNamed ? named : undefined,
          limit: ACTIVE,
        });
        if (found.length !== poll.active) throw new Error(`${poll.name} found ${found.length} backlogs`);
        polls++;
      }
      return { ok: polls, failed: 0, rows: polls, seconds: (performance.now() - startedAtMs) / 1_000 };
    },
  });
}
