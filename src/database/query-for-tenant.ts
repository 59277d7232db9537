/** Statements that name their tenant, each in a transaction of its own. */

import {
  type ClientBase,
  type Connection,
  Query,
  type QueryConfig,
  type QueryResult,
  type QueryResultRow,
} from 'pg';

import { checkedTenant, TENANT_SETTING } from './tenant.ts';

const SETTINGS = 'transaction_settings';

/** SQL that makes a new session ready for {@link queryForTenant}. */
export const PREPARE_SETTINGS = `PREPARE ${SETTINGS} (text, text) AS
  SELECT set_config('${TENANT_SETTING}', $1, true),
    CASE WHEN $2 IS NOT NULL THEN set_config('statement_timeout', $2, true) END`;

/** Bounds of one statement. By default, the session limits it. */
export interface QueryLimits {
  /** PostgreSQL ends it after this time. */
  readonly statementTimeoutMs?: number;
  /** The connection is given up after this time. */
  readonly answerTimeoutMs?: number;
}

/**
 * Runs one statement, which sees and writes the rows of this tenant alone. Like any single statement, it is committed
 * when this resolves. The connection is one of `openDatabase`, outside of any transaction.
 */
export function queryForTenant<Row extends QueryResultRow>(
  client: ClientBase,
  tenant: string,
  statement: QueryConfig,
  limits: QueryLimits = {},
): Promise<QueryResult<Row>> {
  return new Promise((resolve, reject) => {
    client.query(
      new TenantQuery(tenant, statement, limits, (error, result) => {
        if (error) reject(error);
        else resolve(result as QueryResult<Row>);
      }),
    );
  });
}

type Callback = (error: Error | undefined, result: unknown) => void;

/** What pg's Query is to pg's Client. The types do not have all of it. */
interface PgQuery {
  submit(connection: Connection): Error | null;
  handleDataRow(message: object): void;
  handleCommandComplete(message: object, connection: Connection): void;
}
const PgQuery = Query as unknown as new (
  config: QueryConfig & { queryMode: 'extended'; callback: Callback },
) => PgQuery;

/**
 * Sends the settings and the statement together, with one Sync after both: PostgreSQL takes what comes before a Sync as
 * one transaction. BEGIN and COMMIT around the statement would be two more statements for every lone charge.
 */
class TenantQuery extends PgQuery {
  /** Read by pg. */
  readonly query_timeout: number | undefined;
  readonly #settings: (string | null)[];
  #settingsAreAnswered = false;

  constructor(
    tenant: string,
    statement: QueryConfig,
    { statementTimeoutMs, answerTimeoutMs }: QueryLimits,
    callback: Callback,
  ) {
    super({ ...statement, queryMode: 'extended', callback });
    this.query_timeout = answerTimeoutMs;
    this.#settings = [
      checkedTenant(tenant),
      statementTimeoutMs === undefined ? null : String(statementTimeoutMs),
    ];
  }

  override submit(connection: Connection): Error | null {
    const { stream } = connection;
    stream.cork();
    connection.bind({ statement: SETTINGS, values: this.#settings }, true);
    connection.execute({}, true);
    const error = super.submit(connection);
    // The settings are on their way without their Sync: the next statement would run with them.
    if (error) stream.destroy(error);
    stream.uncork();
    return error;
  }

  override handleDataRow(message: object): void {
    if (this.#settingsAreAnswered) super.handleDataRow(message);
  }

  override handleCommandComplete(message: object, connection: Connection): void {
    if (this.#settingsAreAnswered) super.handleCommandComplete(message, connection);
    this.#settingsAreAnswered = true;
  }
}
