/** Reads what the stream holds, as an outside consumer does. */

import { expect } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

import { ChargeCreated } from '../../generated/charge/v1/event.ts';

/** A message of the stream. */
export interface StreamMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Every message of the stream CHARGES, in its order. */
export async function readStream(natsUrl: string): Promise<StreamMessage[]> {
  const connection = await connect({ servers: natsUrl });
  try {
    const manager = await jetstreamManager(connection);
    const { state } = await manager.streams.info('CHARGES');
    if (state.messages === 0) return [];
    const consumer = await jetstream(connection).consumers.get('CHARGES');
    const messages: StreamMessage[] = [];
    for await (const message of await consumer.consume({ max_messages: 1000 })) {
      const headers = Object.fromEntries(
        [...(message.headers ?? [])].map(([key, values]) => [key, values[0] ?? '']),
      );
      messages.push({ subject: message.subject, payload: message.data, headers });
      if (messages.length === state.messages) break;
    }
    return messages;
  } finally {
    await connection.close();
  }
}

/** Expects the events of these charges: as many as that, each once, in the order of the journal. */
export function expectSequences(messages: readonly StreamMessage[], count: number): void {
  const sequences = messages.map(({ payload }) => ChargeCreated.decode(payload).sequence);
  expect(sequences).toEqual(Array.from({ length: count }, (_, i) => BigInt(i + 1)));
}

/** How many messages the stream holds. */
export async function countStream(natsUrl: string): Promise<number> {
  const connection = await connect({ servers: natsUrl });
  try {
    const manager = await jetstreamManager(connection);
    return (await manager.streams.info('CHARGES')).state.messages;
  } finally {
    await connection.close();
  }
}
