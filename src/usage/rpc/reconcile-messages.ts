/** Converts between messages of Reconcile and what runs say. Nothing else does. */

import type {
  FindingCount,
  ReconcileCheck,
  ReconcileCompared,
  ReconcileFinding,
  ReconcileRequest,
  ReconcileResponse,
  SumLevel,
} from '../../../generated/charge/v1/usage_service.ts';
import { fromProtoTimestamp, toProtoTimestamp } from '../../grpc/timestamp.ts';
import { ROLLUP_LEVEL } from '../plan.ts';
import { checkOf, type Finding, type ReconcileOptions, type ReconcileSummary } from '../reconcile.ts';

/** A request that satisfies the contract's rules. */
export function fromProtoReconcileRequest(request: ReconcileRequest): ReconcileOptions {
  const { checks, startTime, endTime, repair } = request;
  return {
    checks,
    startMicros: startTime && fromProtoTimestamp(startTime),
    endMicros: endTime && fromProtoTimestamp(endTime),
    repair,
  };
}

/** The response that names a finding. */
export function toProtoFinding(tenant: string, finding: Finding): ReconcileResponse {
  const { kind, dayMicros, sequences, streamSequences, sum } = finding;
  const { repaired = false, id = '', expected = '', found = '', detail = '' } = finding;
  const value: ReconcileFinding = {
    kind,
    check: checkOf(kind) as ReconcileCheck,
    repaired,
    day: dayMicros === undefined ? undefined : toProtoTimestamp(dayMicros),
    id,
    firstSequence: sequences?.first ?? 0n,
    lastSequence: sequences?.last ?? 0n,
    firstStreamSequence: streamSequences?.first ?? 0n,
    lastStreamSequence: streamSequences?.last ?? 0n,
    sumLevel: LEVELS.has(sum?.level ?? 0) ? (sum?.level as SumLevel) : 0,
    sumName: sum?.name ?? '',
    currencyCode: sum?.currencyCode ?? '',
    rows: sum?.rows ?? 0n,
    userProfile: sum?.userProfile ?? '',
    model: sum?.model ?? '',
    expected,
    found,
    detail,
    tenant,
  };
  return { content: { $case: 'finding', value } };
}

const LEVELS: ReadonlySet<number> = new Set(Object.values(ROLLUP_LEVEL));

/** The response that says how far a check is. */
export function toProtoProgress(check: number, done: bigint, total: bigint): ReconcileResponse {
  return {
    content: { $case: 'progress', value: { check: check as ReconcileCheck, done, total } },
  };
}

/** The last response. */
export function toProtoSummary(tenant: string, summary: ReconcileSummary): ReconcileResponse {
  const { counts, drifts, lastSequence } = summary;
  const all = [...counts]
    .sort(([a], [b]) => a - b)
    .map(([kind, { found, repaired }]): FindingCount => {
      return { kind, found: BigInt(found), repaired: BigInt(repaired) };
    });
  const compared = summary.compared.map(
    ({ check, days = 0n, charges = 0n, events = 0n, messages = 0n, dayMicros }): ReconcileCompared => {
      const [firstDay, lastDay] = [dayMicros?.first, dayMicros?.last].map((micros) =>
        micros === undefined ? undefined : toProtoTimestamp(micros),
      );
      return { check: check as ReconcileCheck, days, charges, events, messages, firstDay, lastDay };
    },
  );
  const value = { counts: all, drifts: BigInt(drifts), lastSequence, tenant, compared };
  return { content: { $case: 'summary', value } };
}
