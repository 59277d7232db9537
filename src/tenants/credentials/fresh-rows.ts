/** Rows that every call needs, kept in memory and at most a few seconds old. */

import { BatchedLookUp, type ReadRows } from './batched-look-up.ts';
import { BoundedMap } from './bounded-map.ts';

/** A row, or that there is none, as it was read. */
export interface Fresh<Row> {
  readonly row: Row | undefined;
}

/** A row that is older is read again before it is used, so that a revocation holds everywhere by then. */
const AGE_MAX_MS = 5_000;
/**
 * While PostgreSQL does not answer, rows count for this long. Nobody can revoke anything meanwhile, and what needs
 * PostgreSQL fails anyway.
 */
const AGE_WHILE_AWAY_MAX_MS = 60_000;
const ROWS_MAX = 10_000;
/** Ids that do not exist; kept apart, so that whoever invents them displaces no row. */
const ABSENT_MAX = 1_000;

interface Entry<Row> extends Fresh<Row> {
  readonly readAtMs: number;
  usedAtMs: number;
}

export class FreshRows<Row> {
  readonly #read: ReadRows<Row>;
  readonly #lookUp: BatchedLookUp<Row>;
  readonly #rows = new BoundedMap<string, Entry<Row>>(ROWS_MAX);
  readonly #absent = new BoundedMap<string, Entry<Row>>(ABSENT_MAX);
  /** The last query failed. */
  #isAway = false;

  /** `read` reads at most 1,000 rows at a time. */
  constructor(read: ReadRows<Row>) {
    this.#read = async (ids) => {
      try {
        const rows = await read(ids);
        this.#isAway = false;
        return rows;
      } catch (error) {
        this.#isAway = true;
        throw error;
      }
    };
    this.#lookUp = new BatchedLookUp(this.#read);
  }

  /** Whether there is such a row, as far as is known without a query. */
  has(id: string): boolean {
    return this.#rows.peek(id) !== undefined;
  }

  /** The row as it was last read, however long ago. */
  peek(id: string): Row | undefined {
    return this.#rows.peek(id)?.row;
  }

  /** At once if it is fresh. Otherwise a promise, which rejects as the query does. */
  get(id: string): Fresh<Row> | Promise<Fresh<Row>> {
    const entry = this.#rows.get(id) ?? this.#absent.get(id);
    if (entry === undefined) return this.#find(id);
    const now = performance.now();
    entry.usedAtMs = now;
    return this.#isUsable(entry, now) ? entry : this.#find(id, entry);
  }

  /** Reads again what was used since it was read. Rejects as the query does. */
  async refresh(): Promise<void> {
    const used: string[] = [];
    for (const [id, { usedAtMs, readAtMs }] of this.#rows.entries()) if (usedAtMs > readAtMs) used.push(id);
    for (let start = 0; start < used.length; start += REFRESHED_MAX) {
      const ids = used.slice(start, start + REFRESHED_MAX);
      const readAtMs = performance.now();
      const rows = await this.#read(ids);
      for (const id of ids) this.#keep(id, rows.get(id), readAtMs, readAtMs);
    }
  }

  async #find(id: string, old?: Entry<Row>): Promise<Fresh<Row>> {
    const now = performance.now();
    try {
      return this.#keep(id, await this.#lookUp.find(id), now, now);
    } catch (error) {
      if (old !== undefined && this.#isUsable(old, performance.now())) return old;
      throw error;
    }
  }

  #isUsable({ readAtMs }: Entry<Row>, now: number): boolean {
    return now - readAtMs < (this.#isAway ? AGE_WHILE_AWAY_MAX_MS : AGE_MAX_MS);
  }

  #keep(id: string, row: Row | undefined, readAtMs: number, usedAtMs: number): Entry<Row> {
    const entry = { row, readAtMs, usedAtMs };
    if (row === undefined) this.#rows.delete(id);
    else this.#absent.delete(id);
    (row === undefined ? this.#absent : this.#rows).set(id, entry);
    return entry;
  }
}

const REFRESHED_MAX = 1_000;
