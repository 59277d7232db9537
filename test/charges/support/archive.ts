/** What tests of archiving share: a close that lies long enough ago, and calls. */

import type { Pool } from 'pg';

import type {
  ArchiveChargesResponse,
  BatchCreateChargesResponse,
  ChargeServiceClient,
  GetChargeHistoryResponse,
  GetChargeResponse,
  RecordChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import type { Charge } from '../../../generated/charge/v1/charge.ts';
import { call, createRequest } from '../../support/server.ts';
import { OCTOBER, SEPTEMBER_10 } from './corrections.ts';

/**
 * Closes the time before a moment as if 20 minutes had passed since everything so far was recorded. The relay and the
 * sums of usage have followed.
 */
export async function closeLongAgo(pool: Pool, endTime = '2026-10-01T00:00:00Z'): Promise<void> {
  await pool.query(
    `INSERT INTO period_close (tenant, end_time, create_time, sequence)
     SELECT tenant, $1::timestamptz, now() + interval '20 minutes', last_sequence FROM journal_head`,
    [endTime],
  );
  await follow(pool);
}

/** As if the relay and the sums of usage had followed the journal to its end. */
export async function follow(pool: Pool): Promise<void> {
  await pool.query(
    `INSERT INTO relay_cursor (tenant, published_sequence) SELECT tenant, last_sequence FROM journal_head
     ON CONFLICT (tenant) DO UPDATE SET published_sequence = excluded.published_sequence`,
  );
  await pool.query('UPDATE usage_cursor SET sequence = last_sequence FROM journal_head');
}

export const archive = (
  client: ChargeServiceClient,
  ids: readonly string[],
  endTime = OCTOBER,
  dryRun = false,
) =>
  call<ArchiveChargesResponse>((callback) =>
    client.archiveCharges({ ids: [...ids], endTime, dryRun }, callback),
  );

export const getCharge = (client: ChargeServiceClient, requestId: string) =>
  call<GetChargeResponse>((callback) =>
    client.getCharge({ key: { $case: 'requestId', value: requestId } }, callback),
  );

export const getChargeById = (client: ChargeServiceClient, id: string) =>
  call<GetChargeResponse>((callback) => client.getCharge({ key: { $case: 'id', value: id } }, callback));

export const history = (client: ChargeServiceClient, requestId: string) =>
  call<GetChargeHistoryResponse>((callback) =>
    client.getChargeHistory({ key: { $case: 'requestId', value: requestId } }, callback),
  );

/** The request that `create` of the tests of corrections sends. */
export const requestOf = (requestId: string, charge: Partial<Charge> = {}) =>
  createRequest(requestId, {
    promptTokens: 1000n,
    completionTokens: 500n,
    usageTime: SEPTEMBER_10,
    ...charge,
  });

export const createBatch = (client: ChargeServiceClient, requestIds: readonly string[]) =>
  call<BatchCreateChargesResponse>((callback) =>
    client.batchCreateCharges({ requests: requestIds.map((id) => requestOf(id)) }, callback),
  );

/** The results of a stream of these requests, in order. */
export function recordAll(
  client: ChargeServiceClient,
  requestIds: readonly string[],
): Promise<RecordChargesResponse[]> {
  const stream = client.recordCharges();
  const responses: RecordChargesResponse[] = [];
  for (const id of requestIds) stream.write({ request: requestOf(id) });
  stream.end();
  return new Promise((resolve, reject) => {
    stream.on('data', (response: RecordChargesResponse) => responses.push(response));
    stream.on('error', reject);
    stream.on('end', () => resolve(responses));
  });
}
