/** Reads rows by id, one query at a time: what is asked for meanwhile is read together by the next one. */

/** Reads the rows that exist, by id. */
export type ReadRows<Row> = (ids: readonly string[]) => Promise<ReadonlyMap<string, Row>>;

const IDS_MAX = 1_000;

type Waiting<Row> = Map<string, PromiseWithResolvers<Row | undefined>>;

export class BatchedLookUp<Row> {
  readonly #read: ReadRows<Row>;
  readonly #waiting: Waiting<Row> = new Map();
  #reading: Waiting<Row> = new Map();

  constructor(read: ReadRows<Row>) {
    this.#read = read;
  }

  /** The row, or undefined if there is none. Who asks for the same one shares the look-up. Rejects as the query does. */
  find(id: string): Promise<Row | undefined> {
    const shared = this.#reading.get(id) ?? this.#waiting.get(id);
    if (shared !== undefined) return shared.promise;
    const own = Promise.withResolvers<Row | undefined>();
    this.#waiting.set(id, own);
    if (this.#reading.size === 0) void this.#readWaiting();
    return own.promise;
  }

  /** Never rejects. */
  async #readWaiting(): Promise<void> {
    while (this.#waiting.size > 0) {
      this.#reading = new Map([...this.#waiting].slice(0, IDS_MAX));
      for (const id of this.#reading.keys()) this.#waiting.delete(id);
      try {
        const rows = await this.#read([...this.#reading.keys()]);
        for (const [id, { resolve }] of this.#reading) resolve(rows.get(id));
      } catch (error) {
        for (const { reject } of this.#reading.values()) reject(error);
      }
      this.#reading = new Map();
    }
  }
}
