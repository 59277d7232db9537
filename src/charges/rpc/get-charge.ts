/** GetCharge: one charge by its id or by the request id that made it. */

import { GetChargeRequest, type GetChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { toProtoCharge } from '../convert.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { Charge } from '../charge.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { ChargeReader } from '../ports.ts';
import type { UnaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/contract-rules.ts';
import { READ_MESSAGE_BYTES_MAX } from './read-limits.ts';

/** The method on a reader. */
export function getCharge(
  reader: ChargeReader,
  check: Check<GetChargeRequest>,
): UnaryMethod<GetChargeRequest, GetChargeResponse> {
  return {
    name: 'GetCharge',
    messageBytesMax: READ_MESSAGE_BYTES_MAX,
    decode: (bytes) => decodeStrictly(GetChargeRequest, bytes),
    validate: check,
    handle({ key }, { tenant, timeoutMs }) {
      if (key?.$case === 'requestId') {
        const requestId = key.value;
        return reader
          .findByRequestId(tenant, requestId, { timeoutMs })
          .then((charge) => toProtoGetChargeResponse(charge, { requestId }));
      }
      // Upper case is a UUID too; ids are stored and compared in lower case.
      const id = (key?.value ?? '').toLowerCase();
      return reader
        .findById(tenant, id, { timeoutMs })
        .then((charge) => toProtoGetChargeResponse(charge, { id }));
    },
  };
}

function toProtoGetChargeResponse(
  charge: Charge | undefined,
  key: { id: string } | { requestId: string },
): GetChargeResponse {
  if (charge === undefined) throw new ServiceError({ kind: 'charge_not_found', ...key });
  return { charge: toProtoCharge(charge) };
}
