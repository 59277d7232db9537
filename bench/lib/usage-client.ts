/** UsageService as a client of it, and the same questions in plain SQL. */

import { credentials } from '@grpc/grpc-js';
import pg from 'pg';

import {
  type StreamUsageResponse,
  type UsageRow,
  UsageServiceClient,
} from '../../generated/charge/v1/usage_service.ts';
import type { Context } from './scenario.ts';
import { type PlainQuestion, type Question, toPlainSql, toUsageQuery } from './usage-questions.ts';
import { answerOfRows, answerOfSql, expectEqual, type SqlRow } from './usage-answers.ts';

const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** Connects to a service; the connection is closed after the scenario. */
export function openUsageClient({ stack }: Context, address: string): UsageServiceClient {
  const client = new UsageServiceClient(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  });
  stack.defer(() => client.close());
  return client;
}

/** All rows of the answer, with every sum if `complete`. */
export async function ask(
  client: UsageServiceClient,
  question: Question,
  complete = false,
): Promise<UsageRow[]> {
  const all: UsageRow[] = [];
  const responses = client.streamUsage({
    query: toUsageQuery(question, complete),
  }) as AsyncIterable<StreamUsageResponse>;
  for await (const { rows } of responses) all.push(...rows);
  return all;
}

/** A connection for plain questions; it is closed after the scenario. */
export async function openPlainClient({ stack }: Context, databaseUrl: string): Promise<PlainClient> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  stack.defer(() => client.end());
  return new PlainClient(client);
}

/** Asks in SQL. Statements are prepared once, as a program that asks often would. */
export class PlainClient {
  readonly #client: pg.Client;
  #settings = '';

  constructor(client: pg.Client) {
    this.#client = client;
  }

  /** All rows of the answer. */
  async ask({ name, settings, text, values }: PlainQuestion): Promise<SqlRow[]> {
    if (settings !== this.#settings) await this.#client.query(settings);
    this.#settings = settings;
    const { rows } = await this.#client.query<SqlRow>({ name, text, values: [...values] });
    return rows;
  }
}

/**
 * Throws unless service and SQL give the same answer, with every sum that there is and with those that are measured.
 * Returns how many rows it has.
 */
export async function compare(
  service: UsageServiceClient,
  plain: PlainClient,
  question: Question,
): Promise<number> {
  let count = 0;
  for (const complete of [true, false]) {
    const rows = await ask(service, question, complete);
    const expected = answerOfSql(await plain.ask(toPlainSql(question, complete)));
    expectEqual(question.name, answerOfRows(rows, complete), expected);
    count = rows.length;
  }
  return count;
}
