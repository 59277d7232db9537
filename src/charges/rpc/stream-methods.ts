/** How the requests of the two streaming methods become messages. */

import { RecordChargesRequest, WatchChargesRequest } from '../../../generated/charge/v1/charge_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { Method } from '../../grpc/call.ts';
import type { RpcLimits } from '../../grpc/dependencies.ts';
import type { Check } from '../../grpc/contract-rules.ts';
import { READ_MESSAGE_BYTES_MAX } from './read-limits.ts';

/** RecordCharges: the limit holds for each item. */
export function recordChargesMethod(limits: RpcLimits): Method<RecordChargesRequest> {
  return {
    name: 'RecordCharges',
    messageBytesMax: limits.unaryMessageBytesMax,
    decode: (bytes) => decodeStrictly(RecordChargesRequest, bytes),
    // Items are checked one by one, and refused alone.
    validate: () => [],
  };
}

/** WatchCharges; `check` holds the contract's rules for its one request. */
export function watchChargesMethod(check: Check<WatchChargesRequest>): Method<WatchChargesRequest> {
  return {
    name: 'WatchCharges',
    messageBytesMax: READ_MESSAGE_BYTES_MAX,
    decode: (bytes) => decodeStrictly(WatchChargesRequest, bytes),
    validate: check,
  };
}
