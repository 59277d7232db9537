/** The limit of rows for a page of a list, through the front door: a real server and a real client. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import {
  type BatchCreateChargesResponse,
  ListChargesRequest,
  type ListChargesResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { SCAN_ROWS_MAX } from '../../src/charges/store/charge-reader.ts';
import { call, createRequest } from '../support/server.ts';
import { type CorrectionServer, listAll, openCorrectionServer } from './support/corrections.ts';

const BATCH = 1000;

let server: CorrectionServer;
beforeAll(async () => {
  server = await openCorrectionServer();
});
afterAll(() => server.close());

test('a rare charge after 20,000 others is on a later page, and the first one is empty', async () => {
  const batches = Math.ceil(SCAN_ROWS_MAX / BATCH) + 1;
  for (let batch = 0; batch < batches; batch++) {
    const requests = Array.from({ length: BATCH }, (_, i) => {
      const n = batch * BATCH + i;
      // The first one is the oldest.
      const usageTime = { seconds: BigInt(n), nanos: 0 };
      return createRequest(`${n}`, { usageTime, model: n === 0 ? 'rare' : 'common' });
    });
    await call<BatchCreateChargesResponse>((done) => server.client.batchCreateCharges({ requests }, done));
  }
  const request = ListChargesRequest.fromPartial({ filter: { model: 'rare' } });
  const first = await call<ListChargesResponse>((done) => server.client.listCharges(request, done));
  expect(first.charges).toEqual([]);
  expect(first.nextPageToken).not.toBe('');
  const found = await listAll(server.client, { model: 'rare' });
  expect(found.map(({ model, usageTime }) => [model, usageTime?.seconds])).toEqual([['rare', 0n]]);
});
