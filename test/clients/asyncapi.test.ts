/** docs/asyncapi.yaml says what is really published. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

import {
  ChargeAmended,
  ChargeCreated,
  ChargeRepriced,
  ChargeVoided,
  UserProfileErased,
} from '../../generated/charge/v1/event.ts';
import { configFromEnv } from '../../src/config.ts';
import type { ChargeContent } from '../../src/charges/charge.ts';
import { UserProfileEraser } from '../../src/charges/index.ts';
import { createRelay } from '../../src/relay/open-relay.ts';
import type { Relay } from '../../src/relay/relay.ts';
import { keptSums } from '../../src/usage/index.ts';
import { reprice } from '../charges/support/corrections.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { ADMINISTRATOR, chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { readStream, type StreamMessage } from '../support/stream.ts';
import { ROOT } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';
import { resolve, type Schema, violations } from './support/json-schema.ts';
import { silentRelayEvents } from './support/relay-events.ts';

interface Message {
  readonly contentType: string;
  readonly headers: Schema;
  readonly payload: Schema & { readonly schema?: string };
}

interface Channel {
  readonly address: string;
  readonly messages: Readonly<Record<Format, { $ref: string }>>;
  readonly 'x-jetstream': Readonly<Record<string, unknown>>;
}

interface Document {
  readonly asyncapi: string;
  readonly channels: Readonly<Record<ChannelName, Channel>>;
}

type Format = 'protobuf' | 'json';
type Kind = 'chargeCreated' | 'chargeVoided' | 'chargeAmended' | 'chargeRepriced' | 'userProfileErased';
type ChannelName = Kind | `tenant${Capitalize<Kind>}`;

const document = parse(readFileSync(join(ROOT, 'docs/asyncapi.yaml'), 'utf8')) as Document;
const messageOf = (kind: Kind, format: Format): Message =>
  resolve(document, document.channels[kind].messages[format].$ref) as Message;
const nameOf = (kind: Kind) => kind.charAt(0).toUpperCase() + kind.slice(1);
const tenantChannel = (kind: Kind) => `tenant${nameOf(kind)}` as ChannelName;
const schemaOf = (schema: Schema): Schema =>
  schema.$ref === undefined ? schema : (resolve(document, schema.$ref) as Schema);

const DAY_MS = 24 * 60 * 60 * 1000;
const TENANT = 'acme';
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** Every field is there. */
const FULL: Partial<ChargeContent> = {
  sessionKey: 's-1',
  provider: 100,
  otherProvider: 'someone',
  tokenDetails: {
    cacheReadTokens: 1n,
    cacheWrite5mTokens: 2n,
    cacheWrite1hTokens: 3n,
    reasoningTokens: 4n,
    audioInputTokens: 5n,
    audioOutputTokens: 6n,
    imageInputTokens: 6n,
    imageOutputTokens: 6n,
  },
  reference: 'inv-1',
  labels: new Map([['team', 'a']]),
  usageTimeMicros: 1_767_225_600_000_001n,
  serviceTier: 2,
  region: 'eu',
  quantities: new Map([[20, 3n]]),
  reportedCost: { currencyCode: 'EUR', nanos: 7n },
  callOutcome: 2,
};
const IMPORT_ID = '01932f00-0000-4000-8000-000000000001';
/** Everything that may be absent is. */
const BARE: Partial<ChargeContent> = {
  chargeType: 3,
  promptTokens: 0n,
  completionTokens: 0n,
  totalTokens: 0n,
  model: '',
};

let store: TestStore;
let nats: TestNats;
let relay: Relay;

beforeEach(async () => {
  [store, nats] = await Promise.all([openTestStore(), startTestNats()]);
});
afterEach(async () => {
  await relay.stop();
  await Promise.all([store.close(), nats.stop()]);
});

/** What is published of {@link publish}, in order. */
const PUBLISHED: readonly Kind[] = [
  'chargeCreated',
  'chargeCreated',
  'chargeRepriced',
  'chargeAmended',
  'chargeVoided',
  'userProfileErased',
];
/** A charge is recorded in full and another one with the least, and every other kind of event follows. */
async function publish(env: Record<string, string>): Promise<StreamMessage[]> {
  relay = createRelay(configFromEnv(env), store.everyTenant.em, nats.url, silentRelayEvents);
  relay.start();
  const { pool } = store.owner;
  await pool.query('INSERT INTO journal_head VALUES ($1, 0, 1)', [TENANT]);
  await pool.query('INSERT INTO tenant_lock VALUES ($1)', [TENANT]);
  // It lacks the rates of most kinds.
  await pool.query(
    `INSERT INTO price (tenant, version, effective_time, create_time, request_id, provider, other_provider, charge_type,
       model, model_match, service_tier, basis, currency_code, rates)
     VALUES ($1, 1, '0001-01-01T00:00:00Z', now(), 'p', 100, 'someone', 1, 'gpt-4o', 1, 2, 1, 'USD',
       '{"rates": {"1": "1"}, "tiers": []}')`,
    [TENANT],
  );
  const full = { ...chargeRequest('full', FULL), importId: IMPORT_ID, traceparent: TRACEPARENT };
  const [recorded] = await store.writer.record(TENANT, [full, chargeRequest('bare', BARE)]);
  if (recorded?.outcome !== 'created') throw new Error('no charge');
  await reprice(pool, recorded.charge.id, 5n, TENANT);
  await store.corrector.closePeriod(TENANT, (FULL.usageTimeMicros ?? 0n) + 1n, ADMINISTRATOR);
  const common = { reason: 'a mistake', allowClosedPeriod: true };
  const amendment = {
    ...common,
    kind: 'amend',
    key: { requestId: 'full' },
    requestId: 'new',
    content: { ...full.content, userProfile: 'bob' },
  } as const;
  await store.corrector.amendCharge(TENANT, amendment, ADMINISTRATOR);
  const request = { ...common, kind: 'void', key: { requestId: 'bare' }, requestId: 'v' } as const;
  await store.corrector.voidCharge(TENANT, { ...request, traceparent: TRACEPARENT }, ADMINISTRATOR);
  // What is published after an erasure tells nothing of the person.
  await waitFor(
    'all events before',
    async () => (await readStream(nats.url)).length === PUBLISHED.length - 1,
  );
  const bounds = { retryForMs: 5_000, retryAfterMs: 100, sums: keptSums, committed: () => undefined };
  const actor = { principal: { tenant: TENANT, name: 'a test' }, peer: '' };
  await new UserProfileEraser(store.database, bounds).erase(TENANT, 'alice', actor);
  // Not `drain`, which is over at once while the relay has not begun to lead.
  return waitFor('all events', async () => {
    const messages = await readStream(nats.url);
    return messages.length === PUBLISHED.length ? messages : undefined;
  });
}

interface PublishedEvent {
  readonly eventId: string;
  readonly charge?: { readonly id: string } | undefined;
}

const TYPES = {
  chargeCreated: ChargeCreated,
  chargeVoided: ChargeVoided,
  chargeAmended: ChargeAmended,
  chargeRepriced: ChargeRepriced,
  userProfileErased: UserProfileErased,
} as const;

describe.each(['protobuf', 'json'] as const)('the documented %s messages', (format) => {
  let published: { readonly kind: Kind; readonly message: StreamMessage; readonly event: PublishedEvent }[];
  beforeEach(async () => {
    const messages = await publish({ EVENT_FORMAT: format });
    published = PUBLISHED.map((kind, index) => {
      const message = messages[index];
      if (message === undefined) throw new Error('a message is missing');
      const type = TYPES[kind];
      const event =
        format === 'protobuf'
          ? type.decode(message.payload)
          : type.fromJSON(JSON.parse(textOf(message.payload)));
      return { kind, message, event };
    });
  });

  test('have the subjects and headers that are published, no more and no less', () => {
    // Each also has headers for the broker, which say after which message it was to be stored.
    const first = ['Nats-Expected-Last-Sequence', 'Nats-Expected-Stream'];
    const second = 'Nats-Expected-Last-Msg-Id';
    for (const [index, { kind, message, event }] of published.entries()) {
      const { headers, contentType } = messageOf(kind, format);
      const documented = schemaOf(headers);
      const names = Object.keys(documented.properties ?? {});
      const required = documented.required ?? [];
      expect(names.toSorted()).toEqual([...required, ...first, second].toSorted());
      const own = [...required, ...(index === 0 ? first : [second])];
      expect(Object.keys(message.headers).toSorted()).toEqual(own.toSorted());
      if (index > 0) expect(message.headers[second]).toBe(published[index - 1]?.event.eventId);
      // A header without a rule would be documented by its name only.
      const ruled = Object.values(documented.properties ?? {}).filter(
        (one) => one.const ?? one.enum ?? one.pattern,
      );
      expect(ruled).toHaveLength(names.length);
      const { address, messages } = document.channels[tenantChannel(kind)];
      expect(message.subject).toBe(address.replace('{tenant}', TENANT));
      // The operator's own tenant has the same messages, without the token.
      expect(document.channels[kind].address).toBe(address.replace('.{tenant}', ''));
      expect(document.channels[kind].messages).toEqual(messages);
      expect(violations(document, headers, message.headers)).toEqual([]);
      const type = `charge.v1.${nameOf(kind)}`;
      expect(message.headers).toMatchObject({
        'Nats-Msg-Id': event.eventId,
        'ce-id': event.eventId,
        'ce-sequence': String(index + 1),
        'ce-type': type,
        'ce-dataschema': `https://type.googleapis.com/${type}`,
        'ce-source': `/charge.v1.ChargeService/tenants/${TENANT}`,
        'content-type': contentType,
      });
      expect(event).toMatchObject({ sequence: BigInt(index + 1), tenant: TENANT });
    }
    const [full, bare] = published.map(({ event }) => event.charge?.id);
    const subjects = published.map(({ message }) => message.headers['ce-subject']);
    expect(subjects).toEqual([full, bare, full, full, bare, expect.stringMatching(/^erased-/)]);
    const own = (index: number) => {
      const id = published[index]?.event.eventId.replaceAll('-', '') ?? '';
      return `00-${id}-${id.slice(16)}-00`;
    };
    expect(published.map(({ message: { headers } }) => headers['traceparent'])).toEqual([
      TRACEPARENT,
      own(1),
      own(2),
      own(3),
      TRACEPARENT,
      own(5),
    ]);
  });

  test('have the payloads that are published', () => {
    for (const { kind, message } of published) {
      const payload = schemaOf(messageOf(kind, format).payload) as Message['payload'];
      if (format === 'protobuf') {
        expect(payload.schema).toBe(readFileSync(join(ROOT, 'proto/charge/v1/event.proto'), 'utf8'));
      } else {
        expect(violations(document, payload, JSON.parse(textOf(message.payload)))).toEqual([]);
      }
    }
    if (format === 'protobuf') return;
    // Nothing is documented that is never sent, and nothing is required that may be absent.
    const events = published.map(({ message }) => JSON.parse(textOf(message.payload)) as JsonEvent);
    const charges = events.flatMap(({ charge, original }) => [
      ...(charge ? [charge] : []),
      ...(original ? [original] : []),
    ]);
    const costs = [
      ...charges.map(({ cost }) => cost),
      ...events.flatMap(({ previousCost }) => previousCost ?? []),
    ];
    expectDocumented('Charge', charges);
    expectDocumented('Cost', costs);
    expectDocumented(
      'Correction',
      events.flatMap(({ correction }) => correction ?? []),
    );
    for (const kind of new Set(PUBLISHED)) {
      const name = nameOf(kind);
      expectDocumented(
        name,
        events.filter((_, index) => PUBLISHED[index] === kind),
      );
    }
    const details = schemaNamed('Charge').properties?.['tokenDetails']?.properties;
    expect(Object.keys(charges[0]?.tokenDetails ?? {})).toEqual(Object.keys(details ?? {}));
  });
});

interface JsonEvent {
  readonly charge?: { readonly cost: object; readonly tokenDetails?: object };
  readonly original?: JsonEvent['charge'];
  readonly previousCost?: object;
  readonly correction?: object;
}

const schemaNamed = (name: string) => resolve(document, `#/components/schemas/${name}`) as Schema;

/** Expects each documented property to be in one of these objects, and each required one in all of them. */
function expectDocumented(name: string, objects: readonly object[]): void {
  const { properties = {}, required = [] } = schemaNamed(name);
  const keys = [...new Set(objects.flatMap((one) => Object.keys(one)))];
  expect({ name, keys: keys.toSorted() }).toEqual({ name, keys: Object.keys(properties).toSorted() });
  const always = keys.filter((key) => objects.every((one) => key in one));
  expect({ name, required: always.toSorted() }).toEqual({ name, required: required.toSorted() });
}

test('the documented stream is the one that the service makes', async () => {
  await publish({});
  const connection = await connect({ servers: nats.url });
  try {
    const { config } = await (await jetstreamManager(connection)).streams.info('CHARGES');
    for (const { 'x-jetstream': documented } of Object.values(document.channels))
      expect(documented).toEqual({
        stream: config.name,
        subjects: config.subjects,
        storage: config.storage,
        retention: config.retention,
        discard: config.discard,
        replicas: config.num_replicas,
        maxAgeDays: config.max_age / 1e6 / DAY_MS,
        duplicateWindowSeconds: config.duplicate_window / 1e9,
      });
  } finally {
    await connection.close();
  }
});

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString();
}
