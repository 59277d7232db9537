/** The relay alone, against acknowledged publishing with nothing around it. */

import { STREAM_NAME } from '../../src/relay/open-relay.ts';
import { countMessages, deleteStream } from '../lib/audit.ts';
import { contender, openChild, openDatabase } from '../lib/contender.ts';
import { runSql } from '../lib/environment.ts';
import { fillCharges } from '../lib/fill.ts';
import { atLeast, type Contender, type Context, rates, type Scenario } from '../lib/scenario.ts';

const BACKLOG = 1_000_000;
const QUICK_BACKLOG = 50_000;
const RAW_STREAM = 'RAW';

/** Events of a backlog, against as many that are published raw. */
export const relay: Scenario = {
  name: 'relay',
  title: 'the relay alone, from a backlog in the journal to acknowledged events',
  open: async (context) => {
    const events = context.quick ? QUICK_BACKLOG : BACKLOG;
    context.note(`a round is the whole backlog of ${events} events, however long that takes`);
    return {
      unit: 'events',
      contenders: [await openRelay(context, events), await rawContender(context, events)],
      ratios: [
        {
          key: 'relay.vs_raw_jetstream',
          of: 'relay',
          to: 'raw_jetstream',
          value: rates,
          target: atLeast(0.5, 0.8),
        },
      ],
    };
  },
};

async function openRelay(context: Context, events: number): Promise<Contender> {
  const databaseUrl = await openDatabase(context, 'relay');
  await fillCharges(databaseUrl, events, false);
  return relayContender(context, 'relay', databaseUrl, 'UPDATE relay_cursor SET published_sequence = 0');
}

/** A relay that publishes a backlog, which the statement `reset` makes again before each round. */
export async function relayContender(
  context: Context,
  name: string,
  databaseUrl: string,
  reset: string,
): Promise<Contender> {
  const natsUrl = context.environment.nats.url;
  const child = await openChild(context, 'peers/relay.ts', [databaseUrl, natsUrl]);
  return contender(context, {
    name,
    parties: { server: [child.pid] },
    prepare: async () => {
      await deleteStream(natsUrl, STREAM_NAME);
      await runSql(databaseUrl, reset, 'VACUUM relay_cursor');
    },
    count: () => countMessages(natsUrl, STREAM_NAME),
    run: () => child.ask({}),
  });
}

async function rawContender(context: Context, events: number): Promise<Contender> {
  const natsUrl = context.environment.nats.url;
  const child = await openChild<{ events: number }>(context, 'peers/raw-jetstream.ts', [natsUrl, RAW_STREAM]);
  return contender(context, {
    name: 'raw_jetstream',
    parties: { server: [child.pid] },
    prepare: () => deleteStream(natsUrl, RAW_STREAM),
    count: () => countMessages(natsUrl, RAW_STREAM),
    run: () => child.ask({ events }),
  });
}
