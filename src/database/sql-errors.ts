/**
 * What a failed statement means, judged by SQLSTATE: the ORM's own classes call 40001 and 40P01 a
 * deadlock, leave lost connections unclassified, and put row values into messages.
 */

/**
 * - `retry`: PostgreSQL is away, full, restarting, or picked this transaction as a victim; the same
 *   statement may succeed later.
 * - `timeout`: the statement ran into its time limit.
 * - `data`: a value of the statement is at fault; only other values can help.
 * - `other`: anything else.
 */
export type SqlErrorKind = 'retry' | 'timeout' | 'data' | 'other';

const RETRY_CLASSES = new Set([
  '08', // connection exception
  '40', // transaction rollback: serialization failure, deadlock
  '53', // insufficient resources: too many connections, disk full, out of memory
  '57', // operator intervention: shutdown, crash recovery, starting up
  '58', // system error: I/O
]);
const DATA_CLASSES = new Set(['22', '23']);
const NOT_NULL_VIOLATION = '23502'; // only the journal's: its counter row is missing
const LOCK_TIMEOUT = '55P03';
const QUERY_CANCELED = '57014';
const READ_ONLY_TRANSACTION = '25006'; // a standby, a former primary, or default_transaction_read_only
// A pooler was put in between: nothing ran, and another session may do.
const OTHER_SESSION = new Set(['26000', '42P05']);
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** Classifies what `pg`, its pool or MikroORM threw. */
export function classifySqlError(error: unknown): SqlErrorKind {
  const state = sqlState(error);
  if (state === undefined) return isConnectionError(error) ? 'retry' : 'other';
  if (state === QUERY_CANCELED) return 'timeout';
  if (state === NOT_NULL_VIOLATION) return 'other';
  if (state === LOCK_TIMEOUT || state === READ_ONLY_TRANSACTION) return 'retry';
  if (OTHER_SESSION.has(state)) return 'retry';
  const category = state.slice(0, 2);
  if (RETRY_CLASSES.has(category)) return 'retry';
  return DATA_CLASSES.has(category) ? 'data' : 'other';
}

/**
 * Whether PostgreSQL refuses what neither another attempt nor other values would change, such as a statement without
 * its table or privilege. An operator can repair that.
 */
export function isRefusal(error: unknown): boolean {
  return sqlState(error) !== undefined && classifySqlError(error) === 'other';
}

/** What PostgreSQL says of a statement that ran into its time limit, for one whose time was over before it was sent. */
export function statementTimeout(): Error {
  const message = 'canceling statement due to statement timeout: its time was over before it was sent';
  return Object.assign(new Error(message), { code: QUERY_CANCELED, severity: 'ERROR' });
}

/** The five-character SQLSTATE if PostgreSQL itself refused; errors that wrap its error are looked through. */
export function sqlState(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = (cause as { code?: unknown }).code;
    // Node's own codes ("EPIPE") have the same shape; only PostgreSQL's come with a severity.
    if (typeof code === 'string' && SQLSTATE.test(code) && 'severity' in cause) {
      return code;
    }
  }
  return undefined;
}

/** Whether PostgreSQL refused the statement alone: nothing of it was stored, and its session goes on. */
export function isStatementError(error: unknown): boolean {
  return sqlState(error) !== undefined && (error as { severity?: unknown }).severity === 'ERROR';
}

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
]);

/** What `pg`'s pool says when no connection came free in time. */
const POOL_TIMEOUT = 'timeout exceeded when trying to connect';

/** What the pool says, for a call that has waited as long before it asked the pool. */
export function poolTimeout(): Error {
  return new Error(POOL_TIMEOUT);
}

/** Whether the pool had no connection to give: all were in use, or still being opened. */
export function isPoolTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === POOL_TIMEOUT;
}

/** `pg` has no code for its own refusals, only these texts. */
const DRIVER_TEXTS =
  /Connection terminated|timeout exceeded when trying to connect|Client was closed|not queryable|Query read timeout|Cannot use a pool after|server closed the connection/i;

function isConnectionError(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = (cause as { code?: unknown }).code;
    if (typeof code === 'string' && NETWORK_CODES.has(code)) return true;
    if (DRIVER_TEXTS.test(cause.message)) return true;
  }
  return false;
}
