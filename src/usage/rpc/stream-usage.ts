/** StreamUsage: all rows of an answer, as fast as the caller reads. */

import {
  StreamUsageRequest,
  StreamUsageResponse,
  UsageRow as ProtoUsageRow,
} from '../../../generated/charge/v1/usage_service.ts';
import { deadlineExceeded, overloaded } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { withinPageBytes } from '../../grpc/page-bytes.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { responseStreamMethod, type StreamCall } from '../../grpc/stream.ts';
import { TenantShares } from '../../grpc/tenant-shares.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoUsageRow } from '../convert.ts';
import type { UsagePage, UsageReader } from '../ports.ts';
import { type Question, questionOf } from './question.ts';

/** A stream keeps a connection and a state of the database; nobody may keep them for longer. */
const STREAM_MAX_MS = 10 * 60_000;

type UsageStream = StreamCall<StreamUsageRequest, StreamUsageResponse>;

/** The method on a reader. */
export function streamUsage(reader: UsageReader, check: Check<StreamUsageRequest>): RpcMethod {
  const open = new TenantShares({ max: STREAMS_MAX, hardMax: 1.5 * STREAMS_MAX });
  return responseStreamMethod<StreamUsageRequest, StreamUsageResponse>({
    kind: 'export',
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(StreamUsageRequest, bytes),
    validate: check,
    response: StreamUsageResponse,
    run: (stream, request) => {
      const { tenant } = stream;
      if (open.admits(tenant)) {
        open.add(tenant);
        void send(stream, request, reader).finally(() => open.remove(tenant));
        return;
      }
      const { retryAfterMs } = stream.context.limits;
      stream.fail(overloaded('usage_streams', `${STREAMS_MAX} streams of usage`, retryAfterMs));
      stream.close();
    },
  });
}

/**
 * Streams of a server process: each keeps one of the connections for reads. Half as many more are for a tenant that has
 * none, because a caller may read as slowly as it likes.
 */
const STREAMS_MAX = 2;

/** Runs until everything is sent, or the caller, the server or a failure ends the stream. Never rejects. */
async function send(stream: UsageStream, request: StreamUsageRequest, reader: UsageReader): Promise<void> {
  stream.onDrain((failure) => stream.fail(failure));
  const timer = setTimeout(() => stream.fail(deadlineExceeded()), STREAM_MAX_MS);
  try {
    const question = questionOf(stream.principal, request.query);
    for await (const page of reader.stream(stream.tenant, question)) {
      await sendPage(stream, question, page);
      if (stream.over) return;
    }
    stream.end();
  } catch (error) {
    stream.failWith(error);
  } finally {
    clearTimeout(timer);
    stream.close();
  }
}

async function sendPage(stream: UsageStream, question: Question, page: UsagePage): Promise<void> {
  const { asOfSequence } = page;
  let rest = page.rows.map((row) => toProtoUsageRow(question.query, question.bounds, row));
  do {
    const rows = withinPageBytes(ProtoUsageRow, rest);
    rest = rest.slice(rows.length);
    if (!stream.write({ rows, asOfSequence })) await stream.untilWritable();
  } while (rest.length > 0 && !stream.over);
}
