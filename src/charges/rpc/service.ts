/** `charge.v1.ChargeService`: which method does what. */

import * as proto from '../../../generated/charge/v1/charge_service.ts';
import type { RpcService } from '../../grpc/service.ts';
import type { ContractRules } from '../../grpc/validation.ts';
import type { ChargeMetrics } from '../../observability/charge-metrics.ts';
import type { JournalReader, ChargeReader, ChargeRecorder } from '../ports.ts';
import { batchCreateCharges } from './batch-create-charges.ts';
import { createChargeCheck } from './charge-rules.ts';
import { createCharge } from './create-charge.ts';
import { getCharge } from './get-charge.ts';
import { listCharges } from './list-charges.ts';
import { recordCharges } from './record-charges.ts';
import type { RecordWindow } from './record-window.ts';
import { watchCharges } from './watch-charges.ts';

/** What the service works on; it owns none of it. */
export interface ChargeServiceDependencies {
  readonly recorder: ChargeRecorder;
  readonly reader: ChargeReader;
  readonly journal: JournalReader;
  readonly metrics: Pick<ChargeMetrics, 'rejected'>;
  readonly rules: ContractRules;
  /** What all RecordCharges streams together may have read and not answered. */
  readonly recordWindow: RecordWindow;
}

/** The service, ready to be added to a server. */
export function chargeService({
  recorder,
  reader,
  journal,
  metrics,
  rules,
  recordWindow,
}: ChargeServiceDependencies): RpcService {
  const item = createChargeCheck(rules);
  const size = rules.checkOf('charge.v1.BatchCreateChargesRequest', proto.BatchCreateChargesRequest);
  const rejected = (): void => metrics.rejected('VALIDATION_FAILED');
  return {
    name: 'charge.v1.ChargeService',
    definition: proto.ChargeServiceService,
    methods: {
      createCharge: createCharge(recorder, item, rejected),
      batchCreateCharges: batchCreateCharges(recorder, { size, item }, rejected),
      recordCharges: recordCharges(recorder, item, recordWindow, rejected),
      getCharge: getCharge(reader, rules.checkOf('charge.v1.GetChargeRequest', proto.GetChargeRequest)),
      listCharges: listCharges(
        reader,
        rules.checkOf('charge.v1.ListChargesRequest', proto.ListChargesRequest),
      ),
      watchCharges: watchCharges(
        journal,
        rules.checkOf('charge.v1.WatchChargesRequest', proto.WatchChargesRequest),
      ),
    },
  };
}
