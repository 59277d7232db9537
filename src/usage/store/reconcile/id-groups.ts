/**
 * Compares two large sets of ids. Both are divided into parts by the first digits of the ids. If a part has the same
 * count and the same sum of hashes in both sets, it is taken as equal. Only in the other parts are the ids compared one
 * by one. So the memory that this needs depends on the number of parts, not on the number of ids.
 */

/** A part of one set: ids with the same first digits. */
export interface GroupRow {
  readonly name: string;
  readonly count: string;
  readonly hash: string;
  /** The entries of the journal that have them. */
  readonly first?: string;
  readonly last?: string;
}

/** A part in which the sets may differ. */
export interface IdGroup {
  /** The first digits of its ids. */
  readonly name: string;
  /** All of its entries that were looked at are between these; none: `first` is after `last`. */
  readonly first: bigint;
  readonly last: bigint;
}

interface Balance {
  count: bigint;
  hash: bigint;
  first: bigint;
  last: bigint;
}

/** Collects the parts of both sets, in any order. */
export class IdGroups {
  readonly #groups = new Map<string, Balance>();

  /** Ids of the journal. */
  add({ name, count, hash, first, last }: GroupRow): void {
    const group = this.#group(name);
    group.count += BigInt(count);
    group.hash += BigInt(hash);
    const [from, to] = [BigInt(first ?? 0), BigInt(last ?? 0)];
    group.first = group.last === 0n || from < group.first ? from : group.first;
    group.last = to > group.last ? to : group.last;
  }

  /** Ids that are stored. */
  subtract({ name, count, hash }: GroupRow): void {
    const group = this.#group(name);
    group.count -= BigInt(count);
    group.hash -= BigInt(hash);
  }

  /** The parts that differ, in the order of their ids. */
  different(): IdGroup[] {
    return [...this.#groups]
      .filter(([, { count, hash }]) => count !== 0n || hash !== 0n)
      .map(([name, { first, last }]) => ({ name, first, last }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #group(name: string): Balance {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { count: 0n, hash: 0n, first: 1n, last: 0n };
      this.#groups.set(name, group);
    }
    return group;
  }
}
