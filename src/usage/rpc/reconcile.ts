/** Reconcile: compares what is stored more than once, and tells each finding as soon as there is one. */

import { ReconcileRequest, ReconcileResponse } from '../../../generated/charge/v1/usage_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { responseStreamMethod, type StreamCall } from '../../grpc/stream.ts';
import type { Check } from '../../grpc/validation.ts';
import {
  fromProtoReconcileRequest,
  toProtoFinding,
  toProtoProgress,
  toProtoSummary,
} from './reconcile-messages.ts';
import type { Reconciler } from '../ports.ts';
import type { Finding } from '../reconcile.ts';

/** A caller hears so often how far the run is. */
const PROGRESS_MS = 1_000;

type ReconcileStream = StreamCall<ReconcileRequest, ReconcileResponse>;

/** The method on a reconciler. */
export function reconcile(reconciler: Reconciler, check: Check<ReconcileRequest>): RpcMethod {
  return responseStreamMethod<ReconcileRequest, ReconcileResponse>({
    kind: 'watch',
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ReconcileRequest, bytes),
    validate: check,
    response: ReconcileResponse,
    run: (stream, request) => void run(stream, request, reconciler),
  });
}

/** Runs until the summary is sent, or the caller, the server or a failure ends the stream. Never rejects. */
async function run(
  stream: ReconcileStream,
  request: ReconcileRequest,
  reconciler: Reconciler,
): Promise<void> {
  stream.onDrain((failure) => stream.fail(failure));
  const send = async (response: ReconcileResponse): Promise<void> => {
    if (!stream.write(response)) await stream.untilWritable();
  };
  let nextProgressAt = 0;
  try {
    const options = fromProtoReconcileRequest(request);
    const events = {
      finding: (finding: Finding) => send(toProtoFinding(stream.tenant, finding)),
      progress: async (check: number, done: bigint, total: bigint): Promise<void> => {
        if (done < total && performance.now() < nextProgressAt) return;
        nextProgressAt = performance.now() + PROGRESS_MS;
        await send(toProtoProgress(check, done, total));
      },
    };
    const summary = await reconciler.run(stream.tenant, options, events, stream);
    await send(toProtoSummary(stream.tenant, summary));
    stream.end();
  } catch (error) {
    stream.failWith(error);
  } finally {
    stream.close();
  }
}
