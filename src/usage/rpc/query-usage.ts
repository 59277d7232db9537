/** QueryUsage: an answer in pages that are all as of one sequence. */

import {
  QueryUsageRequest,
  QueryUsageResponse,
  UsageRow as ProtoUsageRow,
} from '../../../generated/charge/v1/usage_service.ts';
import { cancelled, ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { withinPageBytes } from '../../grpc/page-bytes.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { toProtoTimestamp } from '../../grpc/timestamp.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoUsageRow } from '../convert.ts';
import type { UsageReader } from '../ports.ts';
import { decodePageToken, encodePageToken } from './page-token.ts';
import { questionOf } from './question.ts';

/** Rows of a page if the caller does not say how many, and at most. */
const PAGE_SIZE_DEFAULT = 1_000;
const PAGE_SIZE_MAX = 10_000;

/**
 * One answer at a time in each process: a heavy one takes a whole core of PostgreSQL from the writers. Those that wait
 * take a few seconds even if all are heavy.
 */
const CONCURRENCY = { max: 1, waitingMax: 16 };

/** The method on a reader. */
export function queryUsage(reader: UsageReader, check: Check<QueryUsageRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(QueryUsageRequest, bytes),
    validate: check,
    response: QueryUsageResponse,
    hasLargeResponse: true,
    concurrency: CONCURRENCY,
    async handle(request, call) {
      const { tenant, principal, timeoutMs } = call;
      const { query, bounds } = questionOf(principal, request.query);
      const start = request.pageToken === '' ? undefined : decodePageToken(tenant, query, request.pageToken);
      const asked = start === undefined ? query : { ...query, asOfSequence: start.asOfSequence };
      const pageSize = Math.min(request.pageSize || PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
      // One more than the page holds tells whether anything follows it.
      const question = { query: asked, bounds, limit: pageSize + 1, after: start?.after };
      const { rows: found, asOfSequence, archiveEndMicros } = await reader.page(tenant, question, timeoutMs);
      if (call.aborted) throw new ServiceError(cancelled());
      const messages = found.slice(0, pageSize).map((row) => toProtoUsageRow(query, bounds, row));
      const rows = withinPageBytes(ProtoUsageRow, messages);
      const last = found[rows.length - 1];
      const more = found.length > rows.length && last !== undefined;
      const nextPageToken = more ? encodePageToken(tenant, query, { asOfSequence, after: last }) : '';
      const archiveEndTime = archiveEndMicros === undefined ? undefined : toProtoTimestamp(archiveEndMicros);
      return { rows, nextPageToken, asOfSequence, archiveEndTime };
    },
  });
}
