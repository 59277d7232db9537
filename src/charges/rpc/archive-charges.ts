/** ArchiveCharges: removes exported charges of a closed period, all of them or none. */

import {
  ArchiveChargesRequest,
  ArchiveChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { fromProtoTimestamp } from '../../grpc/timestamp.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { ChargeCorrector } from '../ports.ts';

/** The method on a corrector. */
export function archiveCharges(corrector: ChargeCorrector, check: Check<ArchiveChargesRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ArchiveChargesRequest, bytes),
    validate: check,
    response: ArchiveChargesResponse,
    async handle({ endTime, ids, dryRun }, call) {
      if (endTime === undefined) throw new TypeError('a request without an end time passed validation');
      // Upper case is a UUID too; ids are stored and compared in lower case.
      const lowerCaseIds = ids.map((id) => id.toLowerCase());
      const endTimeMicros = fromProtoTimestamp(endTime);
      const result = await corrector.archiveCharges(call.tenant, endTimeMicros, lowerCaseIds, dryRun, call);
      const { archived, alreadyArchived, sequence: lastArchivedSequence } = result;
      return { archived, alreadyArchived, lastArchivedSequence };
    },
  });
}
