/** Work of which little is done at a time. What waits for it is done in turns: a call of each tenant, then the next ones. */

import { TenantShares } from './tenant-shares.ts';

/** Bounds of it. */
export interface TurnLimits {
  /** Calls that are handled at once. */
  readonly max: number;
  /** Calls that wait for that, and up to twice as many if they are of several tenants. */
  readonly waitingMax: number;
}

/** How long a call waits for its turn, and what it then fails with. */
export interface Patience {
  readonly ms: number;
  readonly error: () => Error;
}

/** One for each kind of work. */
export class TenantTurns {
  readonly #max: number;
  readonly #shares: TenantShares;
  /** What waits, by tenant, in the order of their turns. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #running = 0;

  constructor({ max, waitingMax }: TurnLimits) {
    this.#max = max;
    this.#shares = new TenantShares({ max: waitingMax, hardMax: 2 * waitingMax });
  }

  /** Whether another call of the tenant may wait. */
  admits(tenant: string): boolean {
    return this.#shares.admits(tenant);
  }

  /** Does the work when it is the turn of the tenant. By default, it waits for that however long it takes. */
  async run<T>(tenant: string, work: () => Promise<T>, patience?: Patience): Promise<T> {
    if (this.#running < this.#max) this.#running++;
    else await this.#turnOf(tenant, patience);
    try {
      return await work();
    } finally {
      this.#passOn();
    }
  }

  #turnOf(tenant: string, patience: Patience | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = ({ error }: Patience): void => {
        this.#withdraw(tenant, start);
        reject(error());
      };
      const timer = patience && setTimeout(giveUp, patience.ms, patience);
      const start = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const calls = this.#waiting.get(tenant);
      if (calls === undefined) this.#waiting.set(tenant, [start]);
      else calls.push(start);
      this.#shares.add(tenant);
    });
  }

  #withdraw(tenant: string, start: () => void): void {
    const calls = this.#waiting.get(tenant) ?? [];
    calls.splice(calls.indexOf(start), 1);
    if (calls.length === 0) this.#waiting.delete(tenant);
    this.#shares.remove(tenant);
  }

  /** To the oldest call of the tenant whose turn it is. Its others wait for all other tenants. */
  #passOn(): void {
    for (const [tenant, calls] of this.#waiting) {
      const start = calls.shift();
      this.#waiting.delete(tenant);
      if (calls.length > 0) this.#waiting.set(tenant, calls);
      this.#shares.remove(tenant);
      start?.();
      return;
    }
    this.#running--;
  }
}
