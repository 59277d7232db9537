/** A file that may be replaced while the service runs. */

import { readFileSync } from 'node:fs';

import { errorText } from '../../errors/describe-error.ts';
import type { BasicLogger } from '../../observability/logger.ts';

/** Reads the file and parses it, or throws an error whose message names the variable and says what is wrong. */
export function readParsed<T>(variable: string, path: string, parse: (text: string) => T): T {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${variable} names a file that cannot be used: ${errorText(error)}`, { cause: error });
  }
}

/** What the file says. If it cannot be used after a change, what it said before stays. */
export class FollowedFile<T> {
  readonly #variable: string;
  readonly #path: string;
  readonly #parse: (text: string) => T;
  readonly #logger: BasicLogger;
  #text: string | undefined;
  #fault: string | undefined;
  #value: T | undefined;

  constructor(variable: string, path: string, parse: (text: string) => T, logger: BasicLogger) {
    this.#variable = variable;
    this.#path = path;
    this.#parse = parse;
    this.#logger = logger;
    this.refresh();
  }

  /** Undefined: it never could be used. */
  get value(): T | undefined {
    return this.#value;
  }

  /** Reads the file again. Returns whether it says something new. Never throws; the log has why it cannot be used. */
  refresh(): boolean {
    try {
      const text = readFileSync(this.#path, 'utf8');
      const isNew = text !== this.#text;
      this.#text = text;
      if (isNew) this.#value = this.#parse(text);
      if (isNew) this.#fault = undefined;
      return isNew;
    } catch (error) {
      const fault = errorText(error);
      if (fault !== this.#fault) {
        this.#logger.error(
          { reason: fault },
          `${this.#variable}: the file cannot be used; what it said before counts`,
        );
      }
      this.#fault = fault;
      return false;
    }
  }
}
