/** Pages of ListCharges at the start of a list and deep in it, beside the same pages in plain SQL. */

import { credentials } from '@grpc/grpc-js';
import pg from 'pg';

import {
  ChargeServiceClient,
  type ListChargesResponse,
  ListChargesRequest,
} from '../../generated/charge/v1/charge_service.ts';
import { askingContender } from '../lib/asking.ts';
import { openBook } from '../lib/books.ts';
import { pageQuestions, type PageQuestion } from '../lib/list-questions.ts';
import { type CallEnd, GrpcConnection } from '../lib/load/grpc-connection.ts';
import { Latencies } from '../lib/load/latencies.ts';
import { GRPC_PREFIX_BYTES } from '../lib/load/message-counter.ts';
import { atMost, type Contender, type Context, quotientOf, type Scenario } from '../lib/scenario.ts';
import { openService } from '../lib/service-contender.ts';
import type { Service } from '../lib/service.ts';

const CHARGES = 10_000_000;
const QUICK_CHARGES = 100_000;

/** One caller, one page of 100 after the other, in turn for each filter. */
export const lists: Scenario = {
  name: 'lists',
  title:
    'ListCharges, pages of 100 (of a label: 50) with eight filters in turn, one caller: the first pages, and deep ones',
  open: async (context) => {
    const book = await openBook(context, context.quick ? QUICK_CHARGES : CHARGES);
    const service = await openService(context, 'lists', { databaseUrl: book.databaseUrl });
    const questions = await pageQuestions(book);
    const sql = await openSql(context, book.databaseUrl);
    await comparePages(context, service, sql, [...questions.first, ...questions.deep]);
    const call = await openPages(context, service);
    const contenders: Contender[] = [];
    for (const place of ['first', 'deep'] as const) {
      const pages = questions[place];
      contenders.push(
        inTurn(context, place, service, pages, call),
        inTurn(context, `${place}_sql`, service, pages, ({ name, text, values }) =>
          sql.query({ name: `${place}_${name}`, text, values: [...values] }),
        ),
      );
    }
    const p99 = quotientOf(({ p99Ms = NaN }) => p99Ms);
    const p50 = quotientOf(({ p50Ms = NaN }) => p50Ms);
    return {
      unit: 'calls',
      contenders,
      ratios: [
        { key: 'page.vs_sql', of: 'deep', to: 'deep_sql', value: p99, target: atMost(2, 1.3) },
        { key: 'page.vs_sql_p50', of: 'deep', to: 'deep_sql', value: p50 },
        { key: 'page.first_vs_sql', of: 'first', to: 'first_sql', value: p99 },
        { key: 'page.deep_vs_first', of: 'deep', to: 'first', value: p99 },
        { key: 'page.deep_vs_first_p50', of: 'deep', to: 'first', value: p50 },
      ],
    };
  },
};

/** Reports the median and p99 of each filter, over all rounds. */
function inTurn(
  context: Context,
  name: string,
  service: Service,
  pages: readonly PageQuestion[],
  ask: (page: PageQuestion) => Promise<unknown>,
): Contender {
  const latencies = new Map(pages.map((page) => [page.name, new Latencies()]));
  let turn = 0;
  const inner = askingContender(context, name, service, async () => {
    const page = pages[turn++ % pages.length];
    if (page === undefined) throw new RangeError('no pages');
    const startedAtMs = performance.now();
    await ask(page);
    latencies.get(page.name)?.add(performance.now() - startedAtMs);
  });
  return {
    ...inner,
    settle: () => {
      const texts = [...latencies].map(([filter, of]) => {
        const { p50Ms = NaN, p99Ms = NaN } = of.summary();
        return `${filter} ${p50Ms.toFixed(1)}/${p99Ms.toFixed(1)}`;
      });
      context.report(`${name}.p50_p99_ms`, { value: texts.join(', ') });
      return Promise.resolve();
    },
  };
}

async function openSql({ stack }: Context, databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  stack.defer(() => client.end());
  return client;
}

/** Calls without decoding the pages: the caller must cost little. */
async function openPages(
  { stack }: Context,
  service: Service,
): Promise<(page: PageQuestion) => Promise<void>> {
  const connection = await GrpcConnection.open(service.address, '/charge.v1.ChargeService/ListCharges');
  stack.defer(() => connection.close());
  return async ({ name, request }) => {
    const body = ListChargesRequest.encode(request).finish();
    const framed = Buffer.alloc(GRPC_PREFIX_BYTES + body.length);
    framed.writeUInt32BE(body.length, 1);
    framed.set(body, GRPC_PREFIX_BYTES);
    const end = await new Promise<CallEnd>((resolve) => {
      connection.call(framed, resolve);
      connection.flush();
    });
    if (end.status !== 0 || end.messages !== 1) throw new Error(`${name}: status ${end.status}`);
  };
}

/** Throws unless service and SQL have the same charges on every page. */
async function comparePages(
  { stack }: Context,
  service: Service,
  sql: pg.Client,
  pages: readonly PageQuestion[],
): Promise<void> {
  const client = new ChargeServiceClient(service.address, credentials.createInsecure());
  stack.defer(() => client.close());
  for (const { name, request, text, values } of pages) {
    const page = await new Promise<ListChargesResponse>((resolve, reject) => {
      client.listCharges(request, (error, response) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
    const { rows } = await sql.query<{ id: string }>(text, [...values]);
    const [found, expected] = [page.charges.map(({ id }) => id), rows.map(({ id }) => id)];
    if (found.join() !== expected.join() || found.length === 0) {
      throw new Error(
        `${name}: the page has ${found.length} charges, that of SQL ${expected.length} or others`,
      );
    }
  }
}
