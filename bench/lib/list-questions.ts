/** Pages of ListCharges, for the service and in plain SQL over the charges. */

import { type ChargeFilter, ListChargesRequest } from '../../generated/charge/v1/charge_service.ts';
import type { ListPosition } from '../../src/charges/charge.ts';
import { DEFAULT_TENANT } from '../../src/tenants/tenant.ts';
import { timeOfChargeId } from '../../src/charges/charge-id.ts';
import { fromProtoChargeFilter, fromProtoListChargesOrder } from '../../src/charges/convert.ts';
import { encodePageToken } from '../../src/charges/rpc/page-token.ts';
import { microsFromTimestamptz, timestamptzFromMicros } from '../../src/database/types/micros.ts';
import type { Book } from './books.ts';
import { withClient } from './environment.ts';

export const PAGE_SIZE = 100;

/** A page that is asked for. */
export interface PageQuestion {
  /** The name of its filter. */
  readonly name: string;
  readonly request: ListChargesRequest;
  readonly text: string;
  readonly values: readonly string[];
}

/** The first page of each filter, and one at the place of a charge in the middle of the book. */
export interface PageQuestions {
  readonly first: readonly PageQuestion[];
  readonly deep: readonly PageQuestion[];
}

interface Filter {
  readonly name: string;
  readonly filter: Partial<ChargeFilter>;
  /** The same for WHERE. */
  readonly where: string;
  readonly pageSize?: number;
}

/** Every index, and filters that compare each row: a frequent model, and a label that one charge in 160 has. */
export async function pageQuestions({ databaseUrl, endMs }: Book): Promise<PageQuestions> {
  return withClient(databaseUrl, async (client) => {
    const one = async (sql: string, ...values: string[]): Promise<Record<string, string>> =>
      (await client.query<Record<string, string>>(sql, values)).rows[0] ?? {};
    const middle = new Date(endMs - MIDDLE_MS).toISOString();
    const [start, end] = [endMs - 2 * MIDDLE_MS, endMs - MIDDLE_MS / 2];
    const after = `usage_time > '${middle}' ORDER BY usage_time LIMIT 1`;
    const { session_key = '' } = await one(
      `SELECT session_key FROM charge WHERE session_key IS NOT NULL AND tenant = 'default' AND ${after}`,
    );
    const { reference = '' } = await one(
      `SELECT reference FROM charge WHERE reference IS NOT NULL AND tenant = 'default' AND ${after}`,
    );
    const filters: Filter[] = [
      { name: 'no_filter', filter: {}, where: 'true' },
      { name: 'user', filter: { userProfile: USER }, where: `user_profile = '${USER}'` },
      { name: 'session', filter: { sessionKey: session_key }, where: `session_key = '${session_key}'` },
      { name: 'reference', filter: { reference }, where: `reference = '${reference}'` },
      {
        name: 'time_range',
        filter: { startTime: timestamp(start), endTime: timestamp(end) },
        where: `usage_time >= to_timestamp(${start / 1000}) AND usage_time < to_timestamp(${end / 1000})`,
      },
      { name: 'model', filter: { model: MODEL }, where: `model = '${MODEL}'` },
      {
        name: 'user_model',
        filter: { userProfile: USER, model: MODEL },
        where: `user_profile = '${USER}' AND model = '${MODEL}'`,
      },
      {
        name: 'label',
        filter: { labels: new Map([['team', 'team-3']]) },
        where: `labels @> '{"team":"team-3"}'`,
        // The service compares 20,000 charges for a page at most, which need not have 100 of them.
        pageSize: PAGE_SIZE / 2,
      },
    ];
    const deep: PageQuestion[] = [];
    for (const filter of filters) {
      const place = await one(
        `SELECT id, usage_time::text FROM charge WHERE tenant = 'default' AND ${filter.where}
         ORDER BY abs(extract(epoch FROM usage_time - $1::timestamptz)) LIMIT 1`,
        middle,
      );
      const { id = '', usage_time = '' } = place;
      deep.push(question(filter, { id, usageTimeMicros: microsFromTimestamptz(usage_time) }));
    }
    return { first: filters.map((filter) => question(filter, undefined)), deep };
  });
}

const USER = 'user-00001';
const MODEL = 'gpt-4o';
/** Before the end of the book. */
const MIDDLE_MS = 200 * 24 * 3_600_000;

function timestamp(ms: number): ChargeFilter['startTime'] {
  return { seconds: BigInt(ms / 1000), nanos: 0 };
}

function question(
  { name, filter, where, pageSize = PAGE_SIZE }: Filter,
  after: ListPosition | undefined,
): PageQuestion {
  const request = ListChargesRequest.fromPartial({ filter, pageSize });
  const order = fromProtoListChargesOrder(request.order);
  const scope = {
    tenant: DEFAULT_TENANT,
    filter: fromProtoChargeFilter(request.filter),
    options: ['ListCharges', order, request.includeCorrected],
  };
  const pageToken = after === undefined ? '' : encodePageToken(scope, after);
  const place = after === undefined ? '' : 'AND (usage_time, create_time, id) < ($1, $2, $3)';
  const values =
    after === undefined
      ? []
      : [after.usageTimeMicros, timeOfChargeId(after.id)].map(timestamptzFromMicros).concat(after.id);
  return {
    name,
    request: { ...request, pageToken },
    values,
    text: pageStatement(`${where} ${place}`, pageSize),
  };
}

/** The newest first. The place is found in the index, and the last millisecond of the page is read to its end. */
function pageStatement(where: string, pageSize: number): string {
  return `
SELECT charge.*, latest.cost_nanos AS latest_nanos, latest.cost_currency AS latest_currency,
  latest.price_version AS latest_version, latest.revision
FROM (
  SELECT * FROM (
    SELECT * FROM charge WHERE tenant = 'default' AND ${where}
      AND NOT EXISTS (SELECT FROM correction
        WHERE correction.tenant = charge.tenant AND correction.charge_id = charge.id OFFSET 0)
    ORDER BY usage_time DESC, create_time DESC FETCH FIRST ${pageSize + 1} ROWS WITH TIES
  ) AS charge ORDER BY usage_time DESC, create_time DESC, id DESC LIMIT ${pageSize}
) AS charge LEFT JOIN LATERAL (
  SELECT * FROM cost_revision AS r WHERE r.tenant = charge.tenant AND r.charge_id = charge.id
  ORDER BY revision DESC LIMIT 1
) AS latest ON true
ORDER BY usage_time DESC, create_time DESC, charge.id DESC`;
}
