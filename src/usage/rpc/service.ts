/** `charge.v1.UsageService`: which method does what. */

import * as proto from '../../../generated/charge/v1/usage_service.ts';
import type { RpcService } from '../../grpc/service.ts';
import type { ContractRules } from '../../grpc/validation.ts';
import type { Reconciler, UsageReader } from '../ports.ts';
import { queryUsage } from './query-usage.ts';
import { reconcile } from './reconcile.ts';
import { streamUsage } from './stream-usage.ts';

/** What the service works on; it owns none of it. */
export interface UsageServiceDependencies {
  readonly reader: UsageReader;
  readonly reconciler: Reconciler;
  readonly rules: ContractRules;
}

/** The service, ready to be added to a server. */
export function usageService({
  reader,
  reconciler,
  rules,
}: UsageServiceDependencies): RpcService<typeof proto.UsageServiceService> {
  return {
    name: 'charge.v1.UsageService',
    definition: proto.UsageServiceService,
    methods: {
      queryUsage: queryUsage(reader, rules.checkOf('charge.v1.QueryUsageRequest', proto.QueryUsageRequest)),
      streamUsage: streamUsage(
        reader,
        rules.checkOf('charge.v1.StreamUsageRequest', proto.StreamUsageRequest),
      ),
      reconcile: reconcile(reconciler, rules.checkOf('charge.v1.ReconcileRequest', proto.ReconcileRequest)),
    },
  };
}
