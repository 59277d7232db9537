/** Reads of charges and prices that several commands need. */

import { status as codes } from '@grpc/grpc-js';
import {
  ChargeServiceService,
  ListChargesOrder,
  type ChargeFilter,
  type GetChargeRequest,
  type ListChargesRequest,
} from '../../generated/charge/v1/charge_service.ts';
import type { Charge } from '../../generated/charge/v1/charge.ts';
import {
  PriceServiceService,
  type ListPricesRequest,
  type Price,
} from '../../generated/charge/v1/price_service.ts';
import { Refused, type Session } from './session.ts';

const PAGE_SIZE = 1000;

/** A filter that lets every charge through. */
export const ALL_CHARGES: ChargeFilter = {
  userProfile: '',
  sessionKey: '',
  provider: 0,
  chargeType: 0,
  model: '',
  reference: '',
  labels: new Map<string, string>(),
  userProfileLabels: new Map<string, string>(),
  importId: '',
  startTime: undefined,
  endTime: undefined,
};

/** The charge with this key; undefined: there is none. */
export async function chargeOf(
  session: Session,
  key: NonNullable<GetChargeRequest['key']>,
): Promise<Charge | undefined> {
  try {
    return (await session.call(ChargeServiceService.getCharge, { key })).charge;
  } catch (error) {
    if (error instanceof Refused && error.error.code === Number(codes.NOT_FOUND)) return undefined;
    throw error;
  }
}

/** Every charge of an import, also those that were voided or amended. */
export function chargesOfImport(session: Session, importId: string): AsyncGenerator<Charge> {
  return chargesOf(session, {
    pageSize: PAGE_SIZE,
    filter: { ...ALL_CHARGES, importId },
    order: ListChargesOrder.LIST_CHARGES_ORDER_OLDEST_FIRST,
    includeCorrected: true,
  });
}

/** Every charge of a list. It ends with the page without a token: a page may be empty although others follow. */
export async function* chargesOf(
  session: Session,
  request: Omit<ListChargesRequest, 'pageToken'>,
): AsyncGenerator<Charge> {
  let pageToken = '';
  do {
    const page = await session.call(ChargeServiceService.listCharges, { ...request, pageToken });
    yield* page.charges;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
}

/** Every price version, or those that `request` asks for, the latest first. */
export async function listPrices(session: Session, request: Partial<ListPricesRequest>): Promise<Price[]> {
  const all = {
    provider: 0,
    modelPrefix: '',
    effectiveAt: undefined,
    allVersions: true,
    pageSize: PAGE_SIZE,
  } as const;
  const prices: Price[] = [];
  let pageToken = '';
  do {
    const page = await session.call(PriceServiceService.listPrices, { ...all, ...request, pageToken });
    for (const price of page.prices) prices.push(price);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return prices;
}
