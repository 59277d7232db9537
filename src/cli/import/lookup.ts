/** Compares rows with what the service has already. */

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import { ListChargesOrder, type CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
import { ALL_CHARGES, chargeOf, chargesOf } from '../lists.ts';
import type { Session } from '../session.ts';
import { microsOf, timestampOf } from '../time.ts';
import { isLaterEqualRow } from './identity.ts';

/** So many rows are asked about before an import. */
const ASKED_ROWS = 10;
/** A minute, a second and a millisecond. */
const CUT_MICROS = [60_000_000n, 1_000_000n, 1000n];
/** Charges of one moment that are compared with a row. */
const LISTED_MAX = 100;

/**
 * How many of a few rows, spread over `requests`, look like a charge that is stored under another request
 * id: same time as far as the row tells it, same model and counts. `asked`: rows with a time whose own request id is new.
 */
export async function lookAlikes(
  session: Session,
  requests: readonly CreateChargeRequest[],
): Promise<{ asked: number; alike: number }> {
  // The second of two equal rows is alike to the first one, and still an event of its own.
  const withTime = requests.filter(
    ({ charge, requestId }) => charge?.usageTime !== undefined && !isLaterEqualRow(requestId),
  );
  const step = Math.max(1, Math.floor(withTime.length / ASKED_ROWS));
  const asked = withTime.filter((_, index) => index % step === 0).slice(0, ASKED_ROWS);
  const answers = await Promise.all(
    asked.map(async ({ charge, requestId: value }) => {
      if (!charge || (await chargeOf(session, { $case: 'requestId', value }))) return undefined;
      return isAnyAlike(session, charge);
    }),
  );
  const ofNewRows = answers.filter((answer) => answer !== undefined);
  return { asked: ofNewRows.length, alike: ofNewRows.filter(Boolean).length };
}

/** Whether one of the charges of its moment and model is alike. */
async function isAnyAlike(session: Session, charge: Charge): Promise<boolean> {
  const { usageTime, model } = charge;
  const micros = usageTime ? microsOf(usageTime) : 0n;
  // A spreadsheet may have cut the seconds off, or the digits after them.
  const cut = CUT_MICROS.find((unit) => micros % unit === 0n) ?? 1n;
  const times = { startTime: timestampOf(micros), endTime: timestampOf(micros + cut) };
  const stored = chargesOf(session, {
    pageSize: LISTED_MAX,
    filter: { ...ALL_CHARGES, model, ...times },
    order: ListChargesOrder.LIST_CHARGES_ORDER_UNSPECIFIED,
    // Charges that were voided do not count, so they may be recorded again.
    includeCorrected: false,
  });
  let listed = 0;
  for await (const other of stored) {
    if (isAlike(other, charge)) return true;
    if (++listed === LISTED_MAX) break;
  }
  return false;
}

function isAlike(stored: Charge, charge: Charge): boolean {
  return stored.promptTokens === charge.promptTokens && stored.completionTokens === charge.completionTokens;
}

/**
 * Whether the service would answer a request with this stored charge (the content is the same), or the
 * name of the first field that differs.
 */
export function differenceFrom(stored: Charge, charge: Charge): string | undefined {
  const total = charge.totalTokens || charge.promptTokens + charge.completionTokens;
  const sent = comparable({ ...charge, totalTokens: total, usageTime: charge.usageTime ?? stored.usageTime });
  const kept = comparable(stored);
  return Object.keys(sent).find((field) => sent[field] !== kept[field]);
}

const SET_BY_SERVER: ReadonlySet<string> = new Set<keyof Charge>([
  'id',
  'createTime',
  'updateTime',
  'cost',
  'state',
  'amends',
  'replacedBy',
  'importId',
]);

/** The content of a charge, field by field, as far as the service compares it. */
export function comparable(charge: Charge): Readonly<Record<string, string>> {
  const { usageTime, labels, tokenDetails, serviceTier, quantities, ...rest } = charge;
  const fields = [
    ...Object.entries(rest).filter(([name]) => !SET_BY_SERVER.has(name)),
    ['serviceTier', serviceTier || ServiceTier.SERVICE_TIER_STANDARD],
    ['quantities', quantities.map(({ kind, amount }) => `${kind}=${amount}`).sort()],
    ['usageTime', usageTime && `${usageTime.seconds}.${Math.trunc(usageTime.nanos / 1000)}`],
    ['labels', JSON.stringify([...labels].sort())],
    [
      'tokenDetails',
      Object.entries(tokenDetails ?? {})
        .filter(([, tokens]) => tokens !== 0n)
        .sort()
        .join(),
    ],
  ];
  return Object.fromEntries(
    fields.map(([name, value]) => [
      name,
      JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? '',
    ]),
  ) as Record<string, string>;
}
