/** Why PostgreSQL does not do its work, in words for operators: in `/readyz` and in the log. */

import { errorText } from '../errors/describe-error.ts';
import { classifySqlError, isPoolTimeout, sqlState } from './sql-errors.ts';

/** What is wrong with PostgreSQL. Holds no value of a row. */
export interface DatabaseFault {
  /** A few words: `read-only`, `disk full`. The same for every failure with the same cause. */
  readonly problem: string;
  /** PostgreSQL's own words and the SQLSTATE, or those of the driver. */
  readonly detail: string;
}

const NO_ANSWER = 'no answer';

/** By SQLSTATE, or by its class of two characters. */
const PROBLEMS: Readonly<Record<string, string>> = {
  '08': NO_ANSWER,
  '23502': 'damaged journal',
  '25006': 'read-only',
  '28': 'login refused',
  '3D': 'no such database',
  '3F': 'schema missing',
  '40': 'conflicting transactions',
  '42501': 'privilege missing',
  '42703': 'column missing',
  '42P01': 'table missing',
  '53': 'resources exhausted',
  '53100': 'disk full',
  '53300': 'too many connections',
  '55P03': 'locked',
  '57': NO_ANSWER,
  '57014': 'too slow',
  '58': 'I/O error',
  XX: 'internal error',
};

/** Describes any error of a statement or a connection. */
export function databaseFault(error: unknown): DatabaseFault {
  const state = sqlState(error);
  if (state !== undefined) {
    const problem = PROBLEMS[state] ?? PROBLEMS[state.slice(0, 2)] ?? 'refused';
    const text = errorText(error);
    return { problem, detail: text.includes(state) ? text : `${text} (${state})` };
  }
  if (isPoolTimeout(error)) {
    return { problem: 'no connection', detail: 'none was free in time, and none could be opened' };
  }
  return { problem: classifySqlError(error) === 'retry' ? NO_ANSWER : 'error', detail: errorText(error) };
}

/** The fault in one line: `read-only: cannot execute INSERT in a read-only transaction (25006)`. */
export function faultText({ problem, detail }: DatabaseFault): string {
  return `${problem}: ${detail}`;
}
