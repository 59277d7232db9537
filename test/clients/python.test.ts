/** The service and its events through a Python program that has nothing but the .proto files. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';

import { createRelay } from '../../src/relay/open-relay.ts';
import type { Relay } from '../../src/relay/relay.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { openTestServer, type TestServer } from '../support/server.ts';
import { chargeOfEvent, chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { countStream, readStream } from '../support/stream.ts';
import { findPythonClient, ROOT, skipNote, startTool } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';
import { silentRelayEvents } from './support/relay-events.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const PROGRAM_TIMEOUT_MS = 90_000;

const python = await findPythonClient();
const withPython = python.path === undefined ? describe.skip : describe;
const skipped = skipNote('Python', python);

/** Runs a program of test/clients/python and returns the JSON that it prints. */
async function run<Seen>(program: string, ...args: string[]): Promise<Seen> {
  const path = join(ROOT, 'test/clients/python', program);
  const running = startTool(python.path ?? '', [path, ...args], { timeoutMs: PROGRAM_TIMEOUT_MS });
  const { status, stdout, stderr } = await running.ended;
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Seen;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

interface StatusSeen {
  readonly code: number;
  readonly message: string;
  readonly details: string[];
  readonly reason?: string;
  readonly domain?: string;
  readonly metadata?: Record<string, string>;
  readonly violations?: [string, string][];
  readonly grpc_code?: string;
}

interface ClientSeen {
  readonly descriptors: {
    readonly labels: Record<string, string>;
    readonly user_profile_max_len: number;
    readonly charge_rules: string[];
  };
  readonly created: {
    readonly id: string;
    readonly replayed: boolean;
    readonly total_tokens: number;
    readonly labels: Record<string, string>;
    readonly create_time_us: number;
  };
  readonly repeated: { readonly same_charge: boolean; readonly replayed: boolean };
  readonly conflict: StatusSeen;
  readonly invalid: StatusSeen;
  readonly missing: StatusSeen;
  readonly batch: {
    readonly outcome: string;
    readonly has_charge: boolean;
    readonly status: StatusSeen | null;
  }[];
  readonly stream: { readonly references: string[]; readonly outcomes: string[] };
  readonly list: { readonly pages: number; readonly ids: string[] };
  readonly watch: {
    readonly sequences: number[];
    readonly ids: string[];
    readonly live: string;
    readonly out_of_range: StatusSeen;
  };
  readonly health: Record<string, string>;
}

withPython(`a Python client${skipped}`, () => {
  /** One by itself, one of a batch, 500 of a stream. */
  const STORED = 502;
  let store: TestStore;
  let server: TestServer;
  let seen: ClientSeen;
  let charges: { readonly id: string; readonly createTimeMicros: bigint }[];

  beforeAll(async () => {
    store = await openTestStore();
    server = await openTestServer(store.url);
    seen = await run<ClientSeen>('client.py', server.address);
    charges = (await store.journal.read('default', 0n, 1000)).map(chargeOfEvent);
  }, PROGRAM_TIMEOUT_MS + 30_000);
  afterAll(async () => {
    await server.close();
    await store.close();
  });

  test('reads labels and rules from the code that it generated', () => {
    expect(seen.descriptors.labels).toMatchObject({
      PROVIDER_UNSPECIFIED: '',
      PROVIDER_OPENAI: 'OpenAI',
      PROVIDER_META_AI: 'Meta AI',
      CHARGE_TYPE_COMPLETION: 'Prompt Completion',
    });
    expect(seen.descriptors.user_profile_max_len).toBe(255);
    expect(seen.descriptors.charge_rules).toContain('charge.total_tokens_too_small');
  });

  test('creates, and gets the original again', () => {
    expect(seen.created).toMatchObject({ replayed: false, total_tokens: 418, labels: { team: 'a' } });
    expect(seen.created.id).toMatch(UUID_V7);
    expect(charges[0]).toMatchObject({
      id: seen.created.id,
      createTimeMicros: BigInt(seen.created.create_time_us),
    });
    expect(seen.repeated).toEqual({ same_charge: true, replayed: true });
  });

  test('reads why a request failed with grpcio-status', () => {
    expect(seen.conflict).toMatchObject({
      grpc_code: 'ALREADY_EXISTS',
      code: 6,
      details: ['google.rpc.ErrorInfo'],
      reason: 'REQUEST_ID_REUSED',
      domain: 'charge.v1',
      metadata: { request_id: 'py-1', field: 'prompt_tokens', charge_id: seen.created.id },
    });
    expect(seen.missing).toMatchObject({
      grpc_code: 'NOT_FOUND',
      reason: 'CHARGE_NOT_FOUND',
      metadata: { request_id: 'py-none' },
    });
    expect(seen.watch.out_of_range).toMatchObject({
      grpc_code: 'OUT_OF_RANGE',
      reason: 'SEQUENCE_OUT_OF_RANGE',
      metadata: { start_sequence: String(STORED + 100), last_sequence: String(STORED + 1) },
    });
  });

  test('reads every violation of an invalid request', () => {
    expect(seen.invalid).toMatchObject({
      grpc_code: 'INVALID_ARGUMENT',
      reason: 'VALIDATION_FAILED',
      violations: [
        ['charge.prompt_tokens', 'int64.gte'],
        ['charge.provider', 'enum.not_in'],
        ['charge.user_profile', 'string.min_len'],
        ['request_id', 'string.min_len'],
      ],
    });
  });

  test('gets a result for each item of a batch', () => {
    expect(seen.batch).toEqual([
      { outcome: 'OUTCOME_CREATED', has_charge: true, status: null },
      {
        outcome: 'OUTCOME_REJECTED',
        has_charge: false,
        status: expect.objectContaining({ code: 3, violations: [['charge.user_profile', 'string.min_len']] }),
      },
      { outcome: 'OUTCOME_REPLAYED', has_charge: true, status: null },
    ]);
  });

  test('streams 500 items and gets their answers in order while it sends', () => {
    expect(seen.stream.references).toEqual(Array.from({ length: 500 }, (_, i) => `item-${i}`));
    expect(seen.stream.outcomes).toEqual(['OUTCOME_CREATED']);
  });

  test('lists every charge once, in pages', () => {
    expect(seen.list.pages).toBe(Math.ceil(STORED / 64));
    expect(seen.list.ids.toSorted()).toEqual(
      charges
        .slice(0, STORED)
        .map(({ id }) => id)
        .toSorted(),
    );
  });

  test('watches the journal from the beginning into what is written meanwhile, without a gap', () => {
    expect(charges).toHaveLength(STORED + 1);
    expect(seen.watch.sequences).toEqual(upTo(STORED + 1));
    expect(seen.watch.ids).toEqual(charges.map(({ id }) => id));
    expect(seen.watch.live).toBe(charges.at(-1)?.id);
  });

  test('checks health', () => {
    expect(seen.health).toEqual({ '': 'SERVING', 'charge.v1.ChargeService': 'SERVING', nobody: 'NOT_FOUND' });
  });
});

interface EventSeen {
  readonly subject: string;
  readonly headers: Record<string, string>;
  readonly event_id: string;
  readonly sequence: number;
  readonly tenant: string;
  readonly charge_id: string;
  readonly reference: string;
  readonly prompt_tokens: number;
}

withPython(`a Python consumer of the stream${skipped}`, () => {
  const COUNT = 300;
  let store: TestStore;
  let nats: TestNats;
  let relay: Relay;

  beforeAll(async () => {
    [store, nats] = await Promise.all([openTestStore(), startTestNats()]);
    const config = { eventFormat: 'protobuf', eventMaxAgeMs: 3_600_000, streamReplicas: 1 } as const;
    relay = createRelay(config, store.everyTenant.em, nats.url, silentRelayEvents);
    relay.start();
  });
  afterAll(async () => {
    await relay.stop();
    await Promise.all([store.close(), nats.stop()]);
  });

  test('decodes every event, in order and without a gap, with its headers', async () => {
    const requests = upTo(COUNT).map((i) => chargeRequest(`event-${i}`, { reference: `item-${i}` }));
    await store.writer.record('default', requests);
    // A drain would be refused as long as the relay has not connected.
    await waitFor('the events', async () => (await countStream(nats.url)) === COUNT);

    const seen = await run<EventSeen[]>('consumer.py', nats.url, String(COUNT));
    expect(seen.map(({ sequence }) => sequence)).toEqual(upTo(COUNT));
    expect(seen.map(({ reference }) => reference)).toEqual(upTo(COUNT).map((i) => `item-${i}`));
    for (const event of seen) {
      expect(event).toMatchObject({ subject: 'charge.created', tenant: 'default', prompt_tokens: 374 });
      expect(event.event_id).toBe(event.charge_id);
      expect(event.headers).toMatchObject({
        'Nats-Msg-Id': event.event_id,
        'ce-id': event.event_id,
        'ce-type': 'charge.v1.ChargeCreated',
        'ce-subject': event.charge_id,
        'ce-dataschema': 'https://type.googleapis.com/charge.v1.ChargeCreated',
        'ce-specversion': '1.0',
        'ce-sequence': String(event.sequence),
        'content-type': 'application/protobuf',
      });
    }
    // What a client of another language sees is what one of this language sees.
    const messages = await readStream(nats.url);
    expect(seen.map(({ headers }) => headers)).toEqual(messages.map(({ headers }) => headers));
  });
});
