/** A real client of UsageService. */

import { ChannelCredentials } from '@grpc/grpc-js';

import { ChargeFilter } from '../../../generated/charge/v1/charge_service.ts';
import {
  QueryUsageRequest,
  type QueryUsageResponse,
  StreamUsageRequest,
  type StreamUsageResponse,
  type UsageQuery,
  UsageQuery as UsageQueryMessage,
  type UsageRow,
  UsageServiceClient,
} from '../../../generated/charge/v1/usage_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { call } from '../../support/server.ts';

/** A question; what it does not say is unset. */
export type PartialQuery = Partial<Omit<UsageQuery, 'filter'>> & { readonly filter?: Partial<ChargeFilter> };

/** A client with a connection of its own. */
export function openUsageClient(address: string): UsageServiceClient {
  return new UsageServiceClient(address, ChannelCredentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
}

/** One page. */
export function queryUsage(
  client: UsageServiceClient,
  query: PartialQuery | undefined,
  page: { readonly pageSize?: number; readonly pageToken?: string } = {},
): Promise<QueryUsageResponse> {
  const request = QueryUsageRequest.fromPartial(page);
  request.query = query && messageOf(query);
  return call((callback) => client.queryUsage(request, callback));
}

/** Every page. */
export async function queryAllUsage(
  client: UsageServiceClient,
  query: PartialQuery,
  pageSize = 0,
): Promise<{ rows: UsageRow[]; asOfSequence: bigint }> {
  const rows: UsageRow[] = [];
  let pageToken = '';
  for (;;) {
    const page = await queryUsage(client, query, { pageSize, pageToken });
    rows.push(...page.rows);
    pageToken = page.nextPageToken;
    if (pageToken === '') return { rows, asOfSequence: page.asOfSequence };
  }
}

/** A stream that the caller reads or not. */
export function startStream(client: UsageServiceClient, query: PartialQuery, deadlineMs = 60_000) {
  const request = StreamUsageRequest.fromPartial({});
  request.query = messageOf(query);
  return client.streamUsage(request, { deadline: Date.now() + deadlineMs });
}

/** Reads a stream to its end. */
export async function streamAllUsage(
  client: UsageServiceClient,
  query: PartialQuery,
): Promise<{ rows: UsageRow[]; asOfSequences: bigint[] }> {
  const rows: UsageRow[] = [];
  const asOfSequences: bigint[] = [];
  for await (const message of startStream(client, query)) {
    const response = message as StreamUsageResponse;
    rows.push(...response.rows);
    asOfSequences.push(response.asOfSequence);
  }
  return { rows, asOfSequences };
}

export function timestamp(text: string): Timestamp {
  return { seconds: BigInt(Date.parse(text) / 1000), nanos: 0 };
}

function messageOf(query: PartialQuery): UsageQuery {
  const filter = query.filter && { ...ChargeFilter.fromPartial({}), ...query.filter };
  return { ...UsageQueryMessage.fromPartial({}), ...query, filter };
}
