/** What tests of corrections share: prices, calls, and totals as a reader of the journal or of lists has them. */

import { randomUUID } from 'node:crypto';

import type { Pool } from 'pg';

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import type {
  AmendChargeRequest,
  AmendChargeResponse,
  ChargeFilter,
  ChargeServiceClient,
  CreateChargeResponse,
  ListChargesResponse,
  VoidChargeRequest,
  VoidChargeResponse,
  WatchChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import {
  AmendChargeRequest as AmendChargeMessage,
  ChargeFilter as ChargeFilterMessage,
} from '../../../generated/charge/v1/charge_service.ts';
import { createMigratedDatabase } from '../../support/database.ts';
import { at, card, openPriceClient, priceRequest } from '../../prices/support/client.ts';
import { call, createRequest, openClient, openTestServer } from '../../support/server.ts';
import { openTestDatabase } from '../../support/store.ts';

/** A real server on a database of its own that has a price of gpt-4o (2.5 and 10 dollars a million), and a client. */
export interface CorrectionServer {
  readonly client: ChargeServiceClient;
  readonly address: string;
  readonly url: string;
  /** For what no call can do. */
  readonly pool: Pool;
  /** Adds a price that is in force since ever. Rates in nanos per million. */
  addPrice(rates?: { model?: string; input?: bigint; output?: bigint }): Promise<void>;
  /** Another client, on a connection of its own. */
  newClient(address?: string): ChargeServiceClient;
  /** How many rows there are of what corrections write, and the last number of the journal. */
  rows(): Promise<Record<'charges' | 'corrections' | 'closed' | 'sequence', number>>;
  close(): Promise<void>;
}

export async function openCorrectionServer(): Promise<CorrectionServer> {
  const testDatabase = await createMigratedDatabase();
  const database = await openTestDatabase(testDatabase.url, { asLoginRole: true });
  const { pool } = database;
  const server = await openTestServer(testDatabase.url);
  const prices = openPriceClient(server.address);
  const clients: ChargeServiceClient[] = [];
  const addPrice: CorrectionServer['addPrice'] = async ({
    model = 'gpt-4o',
    input = 2_500_000_000n,
    output = 10_000_000_000n,
  } = {}) => {
    const options = {
      key: { model },
      from: at('0001-01-01T00:00:00Z'),
      basis: card({ 1: input, 2: output }),
    };
    await prices.create(priceRequest(randomUUID(), { ...options, allowPast: true }));
  };
  await addPrice();
  const counts = `SELECT (SELECT count(*)::int FROM charge) AS charges,
    (SELECT count(*)::int FROM correction) AS corrections, (SELECT count(*)::int FROM period_close) AS closed,
    (SELECT last_sequence::int FROM journal_head) AS sequence`;
  return {
    client: server.client,
    address: server.address,
    url: testDatabase.url,
    pool,
    addPrice,
    newClient: (address = server.address) => {
      const client = openClient(address);
      clients.push(client);
      return client;
    },
    rows: async () => (await pool.query(counts)).rows[0] as Awaited<ReturnType<CorrectionServer['rows']>>,
    close: async () => {
      prices.raw.close();
      for (const client of clients) client.close();
      await server.close();
      await database.close();
      await testDatabase.drop();
    },
  };
}

/** The usage time of the charges below, unless a test says otherwise. */
export const SEPTEMBER_10 = { seconds: BigInt(Date.parse('2026-09-10T10:00:00Z') / 1000), nanos: 0 };

/** The moment until which September is closed. */
export const OCTOBER = { seconds: BigInt(Date.parse('2026-10-01T00:00:00Z') / 1000), nanos: 0 };

/** Gives a charge another cost, directly in the tables, as a run of RepriceCharges does. */
export async function reprice(
  pool: Pool,
  chargeId: string,
  nanos: bigint,
  tenant = 'default',
): Promise<void> {
  await pool.query(
    `WITH locked AS (
       SELECT tenant FROM tenant_lock WHERE tenant = $5 FOR UPDATE
     ), run AS (
       INSERT INTO reprice_run (create_time, run, tenant, run_id, reason, filter)
       SELECT now(), (SELECT coalesce(max(run), 0) + 1 FROM reprice_run), tenant, $4, 'a better price', '{}'
       FROM locked RETURNING run
     ), head AS (
       UPDATE journal_head SET last_sequence = last_sequence + 1 WHERE tenant = $5 RETURNING last_sequence
     ), revision AS (
       INSERT INTO cost_revision (sequence, create_time, cost_nanos, charge_id, id, run, revision, price_version, tenant,
         cost_currency)
       SELECT last_sequence, now(), $2::bigint, $1::uuid, $3::uuid, run,
         (SELECT coalesce(max(revision), 0) + 1 FROM cost_revision WHERE charge_id = $1::uuid), 1, $5, 'USD'
       FROM head, run
     )
     INSERT INTO journal (tenant, last_sequence, kind, event_ids)
     SELECT $5, last_sequence, 4, ARRAY[$3::uuid] FROM head`,
    [chargeId, nanos, newEventId(), randomUUID(), tenant],
  );
}

function newEventId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

export const create = (client: ChargeServiceClient, requestId: string, charge: Partial<Charge> = {}) =>
  call<CreateChargeResponse>((callback) =>
    client.createCharge(
      createRequest(requestId, {
        promptTokens: 1000n,
        completionTokens: 500n,
        usageTime: SEPTEMBER_10,
        ...charge,
      }),
      callback,
    ),
  );

/** Voids the charge that a request id made. */
export const voidCharge = (
  client: ChargeServiceClient,
  chargeRequestId: string,
  request: Partial<VoidChargeRequest> = {},
) =>
  call<VoidChargeResponse>((callback) =>
    client.voidCharge(
      {
        key: { $case: 'chargeRequestId', value: chargeRequestId },
        requestId: `void of ${chargeRequestId}`,
        reason: 'test traffic',
        allowClosedPeriod: false,
        ...request,
      },
      callback,
    ),
  );

/** Amends the charge that a request id made; `charge` replaces what is different from what `create` makes. */
export const amendCharge = (
  client: ChargeServiceClient,
  chargeRequestId: string,
  requestId: string,
  charge: Partial<Charge>,
  request: Partial<AmendChargeRequest> = {},
) =>
  call<AmendChargeResponse>((callback) =>
    client.amendCharge(
      AmendChargeMessage.fromPartial({
        key: { $case: 'chargeRequestId', value: chargeRequestId },
        charge: createRequest('', { promptTokens: 1000n, completionTokens: 500n, ...charge }).charge,
        requestId,
        reason: 'a mistake',
        ...request,
      }),
      callback,
    ),
  );

/** Every charge that matches, in pages. */
export async function listAll(
  client: ChargeServiceClient,
  filter: Partial<ChargeFilter> = {},
  includeCorrected = false,
): Promise<Charge[]> {
  const charges: Charge[] = [];
  let pageToken = '';
  do {
    const page = await call<ListChargesResponse>((callback) =>
      client.listCharges(
        {
          pageSize: 1000,
          pageToken,
          filter: ChargeFilterMessage.fromPartial(filter),
          order: 0,
          includeCorrected,
        },
        callback,
      ),
    );
    charges.push(...page.charges);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return charges;
}

/** Money and how many charges it is for. */
export interface Total {
  readonly nanos: bigint;
  readonly charges: number;
  readonly unpriced: number;
}

const NOTHING: Total = { nanos: 0n, charges: 0, unpriced: 0 };

function add(total: Total, charge: Charge | undefined, sign: 1 | -1): Total {
  const amount = charge?.cost?.amount;
  return {
    nanos: total.nanos + (amount === undefined ? 0n : BigInt(sign) * amount.nanos),
    charges: total.charges + sign,
    unpriced: total.unpriced + (amount === undefined ? sign : 0),
  };
}

/** The total of a list. */
export async function totalOfList(
  client: ChargeServiceClient,
  filter: Partial<ChargeFilter> = {},
): Promise<Total> {
  const charges = await listAll(client, filter);
  return charges.reduce((total, charge) => add(total, charge, 1), NOTHING);
}

/** `count` events of the journal that match, from WatchCharges. */
export function watch(
  client: ChargeServiceClient,
  count: number,
  filter?: Partial<ChargeFilter>,
  startSequence = 1n,
): Promise<WatchChargesResponse[]> {
  const stream = client.watchCharges({
    startSequence,
    filter: filter && ChargeFilterMessage.fromPartial(filter),
  });
  const events: WatchChargesResponse[] = [];
  return new Promise((resolve, reject) => {
    stream.on('error', (error) => (events.length === count ? undefined : reject(error)));
    stream.on('data', (event: WatchChargesResponse) => {
      events.push(event);
      if (events.length < count) return;
      stream.cancel();
      resolve(events);
    });
  });
}

/** Total per user profile, as a reader of the journal keeps it: by adding and subtracting what events say. */
export function totalsOfEvents(
  events: readonly WatchChargesResponse[],
  counts: (charge: Charge) => boolean = () => true,
): Map<string, Total> {
  const totals = new Map<string, Total>();
  const change = (charge: Charge | undefined, sign: 1 | -1): void => {
    if (charge === undefined) throw new Error('an event without its charge');
    if (!counts(charge)) return;
    const total = add(totals.get(charge.userProfile) ?? NOTHING, charge, sign);
    if (total.charges === 0) totals.delete(charge.userProfile);
    else totals.set(charge.userProfile, total);
  };
  for (const { event } of events) {
    if (event === undefined) continue;
    switch (event.$case) {
      case 'chargeCreated':
        change(event.value.charge, 1);
        break;
      case 'chargeVoided':
        change(event.value.charge, -1);
        break;
      case 'chargeAmended':
        change(event.value.original, -1);
        change(event.value.charge, 1);
        break;
      case 'chargeRepriced': {
        const { charge, previousCost } = event.value;
        change(charge && { ...charge, cost: previousCost }, -1);
        change(charge, 1);
      }
    }
  }
  return totals;
}

/** Total per user profile of the charges that lists give. */
export async function totalsOfList(client: ChargeServiceClient): Promise<Map<string, Total>> {
  const totals = new Map<string, Total>();
  for (const charge of await listAll(client)) {
    totals.set(charge.userProfile, add(totals.get(charge.userProfile) ?? NOTHING, charge, 1));
  }
  return totals;
}
