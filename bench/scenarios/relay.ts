/** The relay alone on a backlog, against acknowledged publishing without anything around it. */

import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

import { STREAM_NAME } from '../../src/relay/open-relay.ts';
import { streamMessages } from '../lib/audit.ts';
import { forkChild } from '../lib/child.ts';
import { peerFile } from '../lib/contenders.ts';
import { fillCharges } from '../lib/fill.ts';
import { expectAllOk } from '../lib/load/client.ts';
import type { LoadMessage } from '../lib/load/jobs.ts';
import { metered } from '../lib/meter.ts';
import type { Contender, Context, Scenario } from '../lib/scenario.ts';

const BACKLOG = 1_000_000;
const QUICK_BACKLOG = 50_000;

/** Events of a backlog of one million, ÷ raw JetStream publishing of as many. */
export const relay: Scenario = {
  name: 'relay',
  title: 'the relay alone, from a backlog in the journal to acknowledged events',
  open: async (context) => {
    const events = context.quick ? QUICK_BACKLOG : BACKLOG;
    context.note(`a round is the whole backlog of ${events} events, however long that takes`);
    return {
      unit: 'events',
      contenders: [await relayContender(context, events), await rawContender(context, events)],
      ratios: [
        {
          key: 'relay.vs_raw_jetstream',
          of: 'relay',
          to: 'raw_jetstream',
          by: 'rate',
          target: 0.5,
          stretch: 0.8,
        },
      ],
    };
  },
};

async function relayContender(context: Context, events: number): Promise<Contender> {
  const { environment, stack } = context;
  const databaseUrl = await environment.createDatabase('relay');
  stack.defer(() => environment.dropDatabase('relay'));
  await fillCharges(databaseUrl, events, false);
  const child = await forkChild(fileURLToPath(new URL('../lib/relay-process.ts', import.meta.url)), [
    databaseUrl,
    environment.nats.url,
  ]);
  stack.defer(() => child.stop());
  return contender(context, { name: 'relay', stream: STREAM_NAME, events, child }, async () => {
    // A new stream remembers no message ids; the relay makes it.
    await deleteStream(environment.nats.url, STREAM_NAME);
    await environment.sql(
      databaseUrl,
      'UPDATE relay_cursor SET published_sequence = 0',
      'VACUUM relay_cursor',
    );
  });
}

async function rawContender(context: Context, events: number): Promise<Contender> {
  const child = await forkChild(peerFile('raw-jetstream.ts'), [context.environment.nats.url]);
  context.stack.defer(() => child.stop());
  return contender(context, { name: 'raw_jetstream', stream: 'RAW', events, child }, () => Promise.resolve());
}

function contender(
  { environment }: Context,
  peer: {
    readonly name: string;
    readonly stream: string;
    readonly events: number;
    readonly child: Awaited<ReturnType<typeof forkChild>>;
  },
  prepare: () => Promise<void>,
): Contender {
  const { name, stream, events, child } = peer;
  return {
    name,
    measure: async () => {
      await prepare();
      const { result, cpuSeconds } = await metered(environment, { server: [child.pid] }, async () => {
        const answer = await child.ask<LoadMessage>({ events });
        if (answer.type !== 'result') throw new Error(`${name} answered ${answer.type}`);
        return answer.result;
      });
      expectAllOk(name, result);
      const messages = await streamMessages(environment.nats.url, stream);
      if (messages !== events || result.ok !== events) {
        throw new Error(`${name}: ${events} events, ${result.ok} acknowledged, ${messages} in the stream`);
      }
      return { count: result.ok, seconds: result.seconds, cpuSeconds };
    },
  };
}

async function deleteStream(natsUrl: string, stream: string): Promise<void> {
  const connection = await connect({ servers: new URL(natsUrl).host });
  try {
    const manager = await jetstreamManager(connection);
    await manager.streams.delete(stream).catch(() => undefined);
  } finally {
    await connection.close();
  }
}
