/** Finds the charges that a command is about to correct. */

import {
  ListChargesOrder,
  type GetChargeRequest,
  type GetChargeResponse,
  type ListChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { callUnary, Refused } from '../unary.ts';
import type { Session } from './flags.ts';
import { Selection } from './selection.ts';
import type { VoidOptions } from './void-options.ts';

const PAGE_SIZE = 1000;
/** Charges that are looked up at a time. */
const LOOKUPS_MAX = 64;

/** The charges that the options name. `missing`: ids that no charge has. */
export async function selectCharges(
  { ids, requestIds, importId }: VoidOptions,
  session: Session,
): Promise<{ selection: Selection; missing: string[] }> {
  const selection = new Selection();
  const missing: string[] = [];
  if (importId !== undefined) await selectImport(importId, selection, session);
  const keys: NonNullable<GetChargeRequest['key']>[] = [
    ...ids.map((value) => ({ $case: 'id', value }) as const),
    ...requestIds.map((value) => ({ $case: 'requestId', value }) as const),
  ];
  for (let start = 0; start < keys.length; start += LOOKUPS_MAX) {
    const some = keys.slice(start, start + LOOKUPS_MAX);
    const charges = await Promise.all(some.map((key) => chargeOf(key, session)));
    charges.forEach((charge, index) => {
      if (!charge) missing.push(some[index]?.value ?? '');
      else selection.add(charge);
    });
  }
  return { selection, missing };
}

/** The charge with this key; undefined: there is none. */
export async function chargeOf(key: NonNullable<GetChargeRequest['key']>, { client, repeats }: Session) {
  try {
    const { charge } = await callUnary<GetChargeResponse>(
      (metadata, deadline, done) => client.getCharge({ key }, metadata, deadline, done),
      repeats,
    );
    return charge;
  } catch (error) {
    if (error instanceof Refused && error.error.reason === 'CHARGE_NOT_FOUND') return undefined;
    throw error;
  }
}

async function selectImport(
  importId: string,
  selection: Selection,
  { client, repeats }: Session,
): Promise<void> {
  const filter = { ...NO_FILTER, importId };
  const order = ListChargesOrder.LIST_CHARGES_ORDER_OLDEST_FIRST;
  let pageToken = '';
  do {
    const request = { pageSize: PAGE_SIZE, pageToken, filter, order, includeCorrected: true };
    const page = await callUnary<ListChargesResponse>(
      (metadata, deadline, done) => client.listCharges(request, metadata, deadline, done),
      repeats,
    );
    for (const charge of page.charges) selection.add(charge);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
}

const NO_FILTER = {
  userProfile: '',
  sessionKey: '',
  provider: 0,
  chargeType: 0,
  model: '',
  reference: '',
  labels: new Map<string, string>(),
  startTime: undefined,
  endTime: undefined,
} as const;
