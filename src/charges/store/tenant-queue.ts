/** What waits to be written: tenants take turns, and within a tenant the oldest comes first. */

import { cancelled, ServiceError } from '../../errors/failure.ts';
import type { Withdrawal } from '../ports.ts';

/** Something that waits. */
export interface Waiting {
  readonly tenant: string;
  /** Its part of a group and of the queue, at least 1. */
  readonly size: number;
  /** Withdraws it while it waits. */
  readonly signal: Withdrawal;
  readonly reject: (error: unknown) => void;
}

/** Bounds of a queue. */
export interface TenantQueueOptions {
  /** Size of a group. A larger item is a group of its own. */
  readonly groupSizeMax: number;
  /** Size of the queue, as long as its tenants do not differ in what they have. See `TenantQueue.admits`. */
  readonly queueSizeMax: number;
}

/** What waits for one tenant. */
interface Turn<Item> {
  readonly tenant: string;
  readonly items: Item[];
  size: number;
}

/** The queue as a whole may have so many times its size if that comes from tenants with little of it. */
const HARD_LIMIT_FACTOR = 2;
/** A group passes over so many items that do not fit, in search of smaller ones. */
const PASSED_OVER_MAX = 100;

/** A queue for each tenant that has anything in it. A group costs what is in it, however much waits. */
export class TenantQueue<Item extends Waiting> {
  readonly #options: TenantQueueOptions;
  readonly #joins: (item: Item, first: Item) => boolean;
  readonly #byTenant = new Map<string, Turn<Item>>();
  /** The same, in the order of their turns. */
  readonly #turns: Turn<Item>[] = [];
  #size = 0;

  /** `joins`: whether an item may be in the group of a first one, for other reasons than its size. */
  constructor(options: TenantQueueOptions, joins: (item: Item, first: Item) => boolean) {
    this.#options = options;
    this.#joins = joins;
  }

  /** Of everything that waits. */
  get size(): number {
    return this.#size;
  }

  /**
   * Whether a tenant may add something of this size. Anybody may while there is room. A full queue still takes what is
   * within the equal part of each tenant that waits, so a tenant that fills the queue keeps nobody else out.
   */
  admits(tenant: string, size: number): boolean {
    const { queueSizeMax } = this.#options;
    const after = this.#size + size;
    if (this.#size === 0 || after <= queueSizeMax) return true;
    const own = this.#byTenant.get(tenant);
    if (own === undefined) return after <= queueSizeMax * HARD_LIMIT_FACTOR;
    const share = queueSizeMax / this.#byTenant.size;
    return own.size + size <= share && after <= queueSizeMax * HARD_LIMIT_FACTOR;
  }

  push(item: Item): void {
    let turn = this.#byTenant.get(item.tenant);
    if (turn === undefined) {
      turn = { tenant: item.tenant, items: [], size: 0 };
      this.#byTenant.set(item.tenant, turn);
      this.#turns.push(turn);
    }
    turn.items.push(item);
    this.#add(turn, item.size);
  }

  /**
   * Of the tenant whose turn it is: the oldest item, and those after it that fit. Tenants that are not `admitted` keep
   * their turn. Empty if nothing waits, or nothing that is admitted.
   */
  takeGroup(admitted: (tenant: string) => boolean = () => true): Item[] {
    for (;;) {
      const place = this.#turns.findIndex(({ tenant }) => admitted(tenant));
      const [turn] = place < 0 ? [] : this.#turns.splice(place, 1);
      if (turn === undefined) return [];
      const group = this.#takeFrom(turn);
      if (turn.items.length > 0) this.#turns.push(turn);
      else this.#byTenant.delete(turn.tenant);
      if (group.length > 0) return group;
    }
  }

  /** Rejects what was withdrawn. Empty if that was all. */
  #takeFrom(turn: Turn<Item>): Item[] {
    const { groupSizeMax } = this.#options;
    const group: Item[] = [];
    const passedOver: Item[] = [];
    let size = 0;
    let next = 0;
    while (size < groupSizeMax && passedOver.length < PASSED_OVER_MAX) {
      const item = turn.items[next];
      if (item === undefined) break;
      next++;
      const [first = item] = group;
      if (item.signal?.aborted) {
        this.#add(turn, -item.size);
        item.reject(new ServiceError(cancelled()));
      } else if (size === 0 || (size + item.size <= groupSizeMax && this.#joins(item, first))) {
        group.push(item);
        size += item.size;
      } else {
        passedOver.push(item);
      }
    }
    turn.items.splice(0, next, ...passedOver);
    this.#add(turn, -size);
    return group;
  }

  #add(turn: Turn<Item>, size: number): void {
    turn.size += size;
    this.#size += size;
  }
}
