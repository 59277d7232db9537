import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { isHashedKey, requestKey } from '../../../src/charges/store/request-key.ts';
import { chargeRequest, openTestStore, type TestStore } from '../../support/store.ts';

const TENANT = 'default';
const UUIDS = [
  '7d444840-9dc0-41d1-b245-5ffdce74fad2',
  '01a20a6a-095b-7539-b6d7-4b57391d118a',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  'deadbeef-dead-beef-dead-beefdeadbeef',
];
const TEXTS = [
  '7D444840-9DC0-41D1-B245-5FFDCE74FAD2',
  '7d4448409dc041d1b2455ffdce74fad2',
  '7d444840-9dc0-41d1-b245-5ffdce74fad',
  '7d444840-9dc0-41d1-b245-5ffdce74fad2 ',
  '7d444840-9dc0-41d1-b245_5ffdce74fad2',
  '7d444840-9dc0-41d1-b245-5ffdce74fadg',
  '7d444840-9dc0-81d1-b245-5ffdce74fad2',
  requestKey('import:0123456789abcdef:7'),
  'import:0123456789abcdef:7',
  'chatcmpl-9XyZ',
  ' ',
  '~'.repeat(128),
];

describe('the key of a request id', () => {
  test.each(UUIDS)('is the request id itself if it is a UUID: %s', (requestId) => {
    expect(requestKey(requestId)).toBe(requestId);
    expect(isHashedKey(requestKey(requestId))).toBe(false);
  });

  test.each(TEXTS)('is a hash, as a UUID of version 8, of any other text: %s', (requestId) => {
    expect(requestKey(requestId)).toMatch(/^.{8}-.{4}-8.{3}-[89ab].{3}-.{12}$/);
    expect(isHashedKey(requestKey(requestId))).toBe(true);
  });

  test('never changes: charges are stored under it', () => {
    expect(requestKey('import:0123456789abcdef:7')).toBe('410d6641-12df-8004-b4d4-9d5e5e047538');
  });

  test('is another one for every request id', () => {
    const keys = [...UUIDS, ...TEXTS].map((requestId) => requestKey(requestId));
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('a stored charge', () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await openTestStore();
  });
  afterAll(() => store.close());

  test('is found, replayed and defended under request ids of every kind', async () => {
    const requestIds = [...UUIDS, ...TEXTS];
    const created = await store.writer.record(
      TENANT,
      requestIds.map((requestId, i) => chargeRequest(requestId, { reference: String(i) })),
    );
    expect(new Set(created.map(({ outcome }) => outcome))).toEqual(new Set(['created']));
    for (const [i, requestId] of requestIds.entries()) {
      const found = await store.reader.findByRequestId(TENANT, requestId);
      expect(found?.reference).toBe(String(i));
    }
    const again = await store.writer.record(
      TENANT,
      requestIds.map((requestId, i) => chargeRequest(requestId, { reference: String(i) })),
    );
    expect(again).toEqual(created.map((result) => ({ ...result, outcome: 'replayed' })));
    const changed = await store.writer.record(
      TENANT,
      requestIds.map((requestId) => chargeRequest(requestId, { model: 'another' })),
    );
    expect(changed.map(({ outcome }) => outcome)).toEqual(requestIds.map(() => 'conflict'));
  });

  test('keeps the text of its request id unless the key spells it out', async () => {
    const { rows } = await store.owner.pool.query<{ request_id: string | null }>(
      'SELECT request_id FROM charge WHERE request_id IS NOT NULL',
    );
    expect(rows.map(({ request_id }) => request_id).sort()).toEqual(TEXTS.toSorted());
  });
});
