/** Finds out what an import would do, row by row, without sending a charge. */

import type { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import { openContract } from '../contract.ts';
import { startProgress } from '../progress.ts';
import { RowConverter, type Conversion } from './convert-rows.ts';
import { numberOf, NumberTable } from './identity.ts';
import { chargeOf } from '../lists.ts';
import type { Session } from '../session.ts';
import { comparable, differenceFrom } from './lookup.ts';
import { describeViolations, type Rejection } from './rejects.ts';
import type { Row } from './row.ts';
import { SHOWN_REJECTIONS_MAX, Totals } from './totals.ts';

/** Questions to the service at a time. Each row is one GetCharge. */
const LOOKUPS_MAX = 32;

/** What is known of a row before the service is asked. */
interface Judged {
  readonly row: Row;
  readonly request: CreateChargeRequest;
  readonly isFirst: boolean;
}

/**
 * Converts every row, checks it by the contract's rules and asks the service by its request id: one call a
 * row. The totals then tell what would be created, replayed and rejected. Stops at `interrupt`.
 */
export async function dryRun(
  rows: AsyncIterable<Row>,
  conversion: Conversion,
  session: Session,
  totalBytes: number,
  interrupt: AbortSignal,
): Promise<Totals> {
  const totals = new Totals();
  const progress = startProgress(process.stderr, totalBytes, totals);
  const converter = new RowConverter(conversion);
  const contract = openContract();
  const contents = new NumberTable();
  const reject = (rejection: Rejection): void => {
    totals.addRejected(rejection);
    if (totals.rejected <= SHOWN_REJECTIONS_MAX)
      progress.notice(`row ${rejection.row} would be rejected: ${rejection.reason}`);
  };
  const judge = (row: Row): Judged | undefined => {
    const converted = converter.convert(row);
    if ('leftOut' in converted) totals.leftOut += 1;
    else if ('rejection' in converted) reject(converted.rejection);
    else {
      const { request } = converted;
      const violations = contract.checkCharge(request);
      if (violations.length > 0) reject(violation(row, violations));
      else {
        const content = numberOf(JSON.stringify(request.charge && comparable(request.charge)));
        const before = contents.get(request.requestId);
        if (before === undefined) contents.set(request.requestId, content);
        if (before === undefined || before === content)
          return { row, request, isFirst: before === undefined };
        reject(conflict(row, request, 'an earlier row of this file'));
      }
    }
    return undefined;
  };
  const ask = async (judged: readonly Judged[]): Promise<void> => {
    const stored = await Promise.all(
      judged.map(({ request }) => chargeOf(session, { $case: 'requestId', value: request.requestId })),
    );
    judged.forEach(({ row, request, isFirst }, index) => {
      const [charge, known] = [request.charge, stored[index]];
      if (known && ERASED.test(known.userProfile)) return totals.addErased();
      const field = known && charge && differenceFrom(known, charge);
      if (field !== undefined) reject(conflict(row, request, `charge ${known?.id}, and ${field} differs`));
      else totals.addExpected(request, known !== undefined || !isFirst, known);
    });
  };
  try {
    let waiting: Judged[] = [];
    for await (const row of rows) {
      if (interrupt.aborted) break;
      totals.read += 1;
      const judged = judge(row);
      if (judged) waiting.push(judged);
      if (waiting.length >= LOOKUPS_MAX) {
        await ask(waiting);
        waiting = [];
      }
      progress.update(row.endOffset);
    }
    await ask(waiting);
    return totals;
  } finally {
    progress.stop();
  }
}

/** What a charge says instead of a person who was erased. The service does not compare such a charge. */
const ERASED = /^erased-[0-9a-f]{16}$/;

function violation(row: Row, violations: Rejection['violations']): Rejection {
  const reason = describeViolations(violations);
  return { row: row.line, code: 'VALIDATION_FAILED', reason, violations, raw: row.raw };
}

function conflict(row: Row, { requestId }: CreateChargeRequest, other: string): Rejection {
  const reason = `request id ${requestId} belongs to ${other}`;
  return { row: row.line, code: 'REQUEST_ID_REUSED', reason, violations: [], requestId, raw: row.raw };
}
