/**
 * What may be logged about an error. PostgreSQL and MikroORM put values of rows and whole statements into
 * messages, and those are somebody's data.
 */

/** An error without what must not be logged. */
export interface ErrorLog {
  readonly name: string;
  /** At most 500 characters. Absent if it may quote a row or a statement. */
  readonly message?: string;
  /** The SQLSTATE of an error from PostgreSQL, or Node's code. */
  readonly code?: unknown;
  /** What PostgreSQL's error is about, by its name in the schema or in PostgreSQL's source. */
  readonly table?: unknown;
  readonly constraint?: unknown;
  readonly routine?: unknown;
  readonly stack?: readonly string[];
  readonly cause?: ErrorLog;
}

const MESSAGE_LENGTH_MAX = 500;
const CAUSES_MAX = 4;
/**
 * Members that only errors from PostgreSQL and MikroORM have. The SQLSTATE is not one of them: codes from
 * Node such as "EPIPE" have the same form.
 */
const DATABASE_MEMBERS = ['severity', 'detail', 'sqlMessage', 'query'];
/** What MikroORM adds to an error from PostgreSQL whose message it has changed. */
const WRAPPER_MEMBERS = ['sqlMessage', 'query'];
/**
 * Failed connections, refused logins, unknown databases, too many connections, a shutdown: these messages name users, databases
 * and limits, which an operator needs, and never quote a row or a statement.
 */
const CLASSES_WITHOUT_VALUES = new Set(['08', '28', '3D', '53', '57']);
/** The same for single codes: no privilege, a read-only server, a lock that was not available in time. */
const CODES_WITHOUT_VALUES = new Set(['42501', '25006', '55P03']);
const NAMES = ['table', 'constraint', 'routine'] as const;

/** What may be logged about an error, with its stack frames and at most four causes. Never throws. */
export function describeError(error: unknown): ErrorLog {
  return describe(error, 0);
}

/** The same as one line for a person: the first message that may be logged, or the error's name and code. */
export function errorText(error: unknown): string {
  const first = describeError(error);
  for (let at: ErrorLog | undefined = first; at !== undefined; at = at.cause) {
    if (at.message) return at.message;
  }
  const code = first.code ?? first.cause?.code;
  return typeof code === 'string' ? `${first.name} (${code})` : first.name;
}

function describe(error: unknown, depth: number): ErrorLog {
  if (!(error instanceof Error)) return { name: typeof error };
  const { name, message, stack, cause } = error;
  const members = error as unknown as Record<string, unknown>;
  const isDatabase = has(error, DATABASE_MEMBERS);
  const names = isDatabase ? NAMES.filter((member) => members[member] !== undefined) : [];
  const frames = stack?.split('\n').filter((line) => line.startsWith('    at '));
  return {
    name,
    ...(members['code'] !== undefined && { code: members['code'] }),
    ...Object.fromEntries(names.map((member) => [member, members[member]])),
    ...(!mayQuote(error, depth) && { message: message.slice(0, MESSAGE_LENGTH_MAX) }),
    ...(frames !== undefined && { stack: frames.map((line) => line.trim()) }),
    ...(cause !== undefined && depth < CAUSES_MAX && { cause: describe(cause, depth + 1) }),
  };
}

/** Whether the message may quote a row or a statement, also one of its causes, which wrappers repeat. */
function mayQuote(error: Error, depth: number): boolean {
  if (has(error, DATABASE_MEMBERS) && !isWithoutValues(error)) return true;
  if (!(error.cause instanceof Error)) return false;
  return depth >= CAUSES_MAX || mayQuote(error.cause, depth + 1);
}

function isWithoutValues(error: Error): boolean {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string' || has(error, WRAPPER_MEMBERS)) return false;
  return CLASSES_WITHOUT_VALUES.has(code.slice(0, 2)) || CODES_WITHOUT_VALUES.has(code);
}

function has(error: Error, members: readonly string[]): boolean {
  return members.some((member) => member in error);
}
