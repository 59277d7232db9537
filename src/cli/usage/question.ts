/** The questions of one run. All of them are as of one sequence. */

import type { Money } from '../../../generated/charge/v1/money.ts';
import {
  UsageOrder,
  UsageRow,
  UsageQuery,
  UsageServiceService,
} from '../../../generated/charge/v1/usage_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import type { Session } from '../session.ts';
import type { Dimension } from './dimensions.ts';
import { COST, largestCurrency, TOKENS, type Measure } from './measures.ts';
import type { UsageOptions } from './options.ts';
import type { QuestionOptions } from './question-flags.ts';
import { windowOf } from './windows.ts';

/** What the first answer tells, on which the other questions stand. */
export interface Question {
  readonly options: UsageOptions;
  readonly session: Session;
  /** The sums of everything that the filter lets through. */
  readonly total: UsageRow;
  /** The sequence that all answers are true for. */
  readonly asOf: bigint;
  /** Charges before this time may be archived. */
  readonly archiveEnd: Timestamp | undefined;
  /** What is compared. */
  readonly measure: Measure;
  /** Of what is compared; empty: nothing has an amount. */
  readonly currency: string;
}

/** A page has so many rows; more come as a stream. */
const PAGE_SIZE = 1000;

/** Asks for the sums of everything that the filter lets through, and the sequence that they are true for. */
export async function readTotal(
  { filter, zone, asOf }: QuestionOptions,
  session: Session,
): Promise<Pick<Question, 'total' | 'asOf' | 'archiveEnd'>> {
  const query = { ...UsageQuery.fromPartial({ timeZone: zone }), filter, asOfSequence: asOf };
  const answer = await session.call(UsageServiceService.queryUsage, { query, pageSize: 1, pageToken: '' });
  const { rows, asOfSequence: sequence, archiveEndTime: archiveEnd } = answer;
  return { total: rows[0] ?? UsageRow.fromPartial({}), asOf: sequence, archiveEnd };
}

/** Asks for the total. */
export async function openQuestion(options: UsageOptions, session: Session): Promise<Question> {
  const answer = await readTotal(options, session);
  const { total } = answer;
  const wanted = options.order === 'window' ? undefined : options.order;
  const amounts: readonly Money[] = (wanted?.amounts ?? COST.amounts)?.(total) ?? [];
  const currency = options.currency ?? largestCurrency(amounts);
  // Without an amount in any currency there is nothing to compare.
  const measure = currency === '' && (wanted ?? COST).amounts ? TOKENS : (wanted ?? COST);
  return { options, session, ...answer, measure, currency };
}

/** Why what was asked for cannot be compared; undefined: it is compared, or there are no charges. */
export function comparisonFault({ options, total, measure, currency }: Question): string | undefined {
  const { order } = options;
  if (total.charges === 0n || order === 'window') return undefined;
  if (order?.amounts && !measure.amounts)
    return `No charge has a ${order.text}, so ${measure.text} are compared instead.`;
  const amounts = measure.amounts?.(total);
  if (!amounts || amounts.some(({ currencyCode }) => currencyCode === currency)) return undefined;
  const codes = amounts.map(({ currencyCode }) => currencyCode).join(', ');
  return `No charge has a ${measure.text} in ${currency}${codes && `, but in ${codes}`}.`;
}

/** What a question of this run is about. */
export interface Parts {
  /** By the dimensions. */
  readonly groups?: boolean;
  /** By the windows. */
  readonly windows?: boolean;
  readonly fill?: boolean;
  /** Absent: by window. */
  readonly order?: Measure | undefined;
  /** Absent: that of the flags. */
  readonly filter?: UsageQuery['filter'];
}

/** A question of this run, as of its sequence. */
export function queryOf(
  { options, asOf, currency }: Pick<Question, 'asOf' | 'currency'> & { readonly options: QuestionOptions },
  { groups, windows, fill, order, filter }: Parts,
): UsageQuery {
  const dimensions = groups ? options.dimensions : [];
  return {
    filter: filter ?? options.filter,
    groupBy: dimensions.flatMap(({ by }) => by ?? []),
    groupByLabels: labelsOf(dimensions, 'charge'),
    groupByUserProfileLabels: labelsOf(dimensions, 'profile'),
    window: windowOf(windows ? options.window : undefined),
    timeZone: options.zone,
    orderBy: order?.order ?? UsageOrder.USAGE_ORDER_UNSPECIFIED,
    currencyCode: order?.amounts ? currency : '',
    fill: fill ?? false,
    asOfSequence: asOf,
    readMask: undefined,
  };
}

function labelsOf(dimensions: readonly Dimension[], of: 'charge' | 'profile'): string[] {
  return dimensions.flatMap(({ label }) => (label?.of === of ? label.key : []));
}

/** Whether rows are read as a course of events: those of windows are, unless another order was asked for. */
export function isByTime({ order, window }: UsageOptions): boolean {
  return order === 'window' || (order === undefined && window !== undefined);
}

/** The rows that the flags ask for: by everything, in their order. */
export function queryOfRows(question: Question): UsageQuery {
  const { options, measure } = question;
  const order = isByTime(options) ? undefined : measure;
  return queryOf(question, { groups: true, windows: true, fill: options.fill, order });
}

/**
 * The first `limit` rows of an answer. It reads no faster than they are used. Most answers are one page; a large one
 * comes as a stream, because the service computes every page anew, and has few streams.
 */
export async function* rowsOf(
  { session }: Question,
  query: UsageQuery,
  limit = Infinity,
): AsyncGenerator<UsageRow> {
  let count = 0;
  let pageToken = '';
  do {
    const pageSize = Math.min(limit - count, PAGE_SIZE);
    const page = await session.call(UsageServiceService.queryUsage, { query, pageSize, pageToken });
    yield* page.rows;
    count += page.rows.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && count < limit && limit <= PAGE_SIZE);
  if (pageToken === '' || count >= limit) return;
  // As of one sequence, the rows and their order are the same.
  let known = count;
  for await (const { rows } of session.stream(UsageServiceService.streamUsage, { query })) {
    for (const row of rows) {
      if (known > 0) known -= 1;
      else if (count === limit) return;
      else {
        count += 1;
        yield row;
      }
    }
  }
}
