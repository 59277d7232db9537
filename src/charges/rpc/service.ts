/** `charge.v1.ChargeService`: which method does what. */

import * as proto from '../../../generated/charge/v1/charge_service.ts';
import type { Reason } from '../../errors/failure.ts';
import type { RpcService } from '../../grpc/service.ts';
import type { ContractRules } from '../../grpc/validation.ts';
import type { ChargeMetrics } from '../../observability/charge-metrics.ts';
import type { ChargeRates } from '../charge-rates.ts';
import type { ChargeCorrector, ChargeReader, ChargeRecorder, JournalReader } from '../ports.ts';
import { rateLimited } from '../rate-limited.ts';
import { amendCharge } from './amend-charge.ts';
import { archiveCharges } from './archive-charges.ts';
import { batchCreateCharges } from './batch-create-charges.ts';
import { createChargeCheck } from './charge-rules.ts';
import { closePeriod } from './close-period.ts';
import { createCharge } from './create-charge.ts';
import { exportCharges } from './export-charges.ts';
import { getCharge } from './get-charge.ts';
import { getChargeHistory } from './get-charge-history.ts';
import { listCharges } from './list-charges.ts';
import { recordCharges } from './record-charges.ts';
import type { RecordWindow } from './record-window.ts';
import { voidCharge } from './void-charge.ts';
import { watchCharges } from './watch-charges.ts';

/** What the service works on; it owns none of it. */
export interface ChargeServiceDependencies {
  readonly recorder: ChargeRecorder;
  readonly corrector: ChargeCorrector;
  readonly reader: ChargeReader;
  readonly journal: JournalReader;
  readonly metrics: Pick<ChargeMetrics, 'rejected'>;
  readonly rules: ContractRules;
  /** What all RecordCharges streams together may have read and not answered. */
  readonly recordWindow: RecordWindow;
  readonly rates: ChargeRates;
}

/** The service, ready to be added to a server. */
export function chargeService({
  recorder,
  corrector,
  reader,
  journal,
  metrics,
  rules,
  recordWindow,
  rates,
}: ChargeServiceDependencies): RpcService<typeof proto.ChargeServiceService> {
  const item = createChargeCheck(rules);
  const size = rules.checkOf('charge.v1.BatchCreateChargesRequest', proto.BatchCreateChargesRequest);
  const limited = rateLimited(recorder, rates);
  const rejected = (reason: Reason): void => metrics.rejected(reason);
  return {
    name: 'charge.v1.ChargeService',
    definition: proto.ChargeServiceService,
    methods: {
      createCharge: createCharge(limited, item, rejected),
      batchCreateCharges: batchCreateCharges(limited, { size, item }, rejected),
      recordCharges: recordCharges(recorder, item, { window: recordWindow, rates, rejected }),
      getCharge: getCharge(reader, rules.checkOf('charge.v1.GetChargeRequest', proto.GetChargeRequest)),
      listCharges: listCharges(
        reader,
        rules.checkOf('charge.v1.ListChargesRequest', proto.ListChargesRequest),
      ),
      watchCharges: watchCharges(
        journal,
        rules.checkOf('charge.v1.WatchChargesRequest', proto.WatchChargesRequest),
      ),
      exportCharges: exportCharges(
        reader,
        rules.checkOf('charge.v1.ExportChargesRequest', proto.ExportChargesRequest),
      ),
      voidCharge: voidCharge(
        corrector,
        rules.checkOf('charge.v1.VoidChargeRequest', proto.VoidChargeRequest),
      ),
      amendCharge: amendCharge(
        corrector,
        rules.checkOf('charge.v1.AmendChargeRequest', proto.AmendChargeRequest),
      ),
      getChargeHistory: getChargeHistory(
        reader,
        rules.checkOf('charge.v1.GetChargeHistoryRequest', proto.GetChargeHistoryRequest),
      ),
      closePeriod: closePeriod(
        corrector,
        rules.checkOf('charge.v1.ClosePeriodRequest', proto.ClosePeriodRequest),
      ),
      archiveCharges: archiveCharges(
        corrector,
        rules.checkOf('charge.v1.ArchiveChargesRequest', proto.ArchiveChargesRequest),
      ),
    },
  };
}
