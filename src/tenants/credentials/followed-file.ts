/** A file that may be replaced while the service runs. */

import { readFileSync } from 'node:fs';

import type { BasicLogger } from '../../observability/logger.ts';

/** Reads the file and parses it, or throws an error whose message names the variable and says what is wrong. */
export function readParsed<T>(variable: string, path: string, parse: (text: string) => T): T {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${variable} names a file that cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
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

  /** Undefined: this process never could use it. */
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
      const fault = (error as Error).message;
      if (fault !== this.#fault) {
        const consequence =
          this.#value === undefined
            ? 'until it can, calls with such credentials end with UNAVAILABLE'
            : 'what it said before counts';
        this.#logger.error({ reason: fault }, `${this.#variable}: the file cannot be used; ${consequence}`);
      }
      this.#fault = fault;
      return false;
    }
  }
}
