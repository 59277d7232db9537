import { describe, expect, test } from '@jest/globals';

import { TenantQueue, type Waiting } from '../../../src/charges/store/tenant-queue.ts';

interface Item extends Waiting {
  readonly name: string;
}

const never = (): void => {
  throw new Error('was rejected');
};

function item(tenant: string, size = 1, name = `${tenant} ${size}`): Item {
  return { tenant, size, name, signal: undefined, reject: never };
}

function queueOf(items: readonly Item[], groupSizeMax = 10, queueSizeMax = 1_000): TenantQueue<Item> {
  const queue = new TenantQueue<Item>({ groupSizeMax, queueSizeMax }, () => true);
  for (const each of items) queue.push(each);
  return queue;
}

/** The tenants of the groups, in the order in which they are taken. */
function turnsOf(queue: TenantQueue<Item>): string[] {
  const turns: string[] = [];
  for (let group = queue.takeGroup(); group.length > 0; group = queue.takeGroup()) {
    expect(new Set(group.map(({ tenant }) => tenant)).size).toBe(1);
    turns.push(`${group[0]?.tenant ?? ''}${group.reduce((sum, { size }) => sum + size, 0)}`);
  }
  expect(queue.size).toBe(0);
  return turns;
}

const many = (count: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => make(index));

describe('a group', () => {
  test('has the oldest items of its tenant that fit, in their order, and passes over larger ones', () => {
    const queue = queueOf([item('a', 1), item('a', 10), item('a', 4), item('a', 6), item('a', 5)]);
    const groups = [queue.takeGroup(), queue.takeGroup(), queue.takeGroup()];
    expect(groups.map((group) => group.map(({ size }) => size))).toEqual([[1, 4, 5], [10], [6]]);
    expect(queue.takeGroup()).toEqual([]);
  });

  test('has an item that is larger than a group alone', () => {
    expect(turnsOf(queueOf([item('a', 25), item('a', 1)]))).toEqual(['a25', 'a1']);
  });

  test('leaves out what was withdrawn, and a tenant that has withdrawn everything loses no turn of others', () => {
    const rejected: unknown[] = [];
    const gone = (tenant: string): Item => ({
      ...item(tenant),
      signal: { aborted: true },
      reject: (error) => rejected.push(error),
    });
    const queue = queueOf([gone('a'), gone('a'), gone('b'), item('b'), item('c')]);
    expect(turnsOf(queue)).toEqual(['b1', 'c1']);
    expect(rejected).toHaveLength(3);
    expect(rejected[0]).toMatchObject({ failure: { reason: 'CANCELLED' } });
  });

  test('looks at a bounded number of items, however many wait that do not fit', () => {
    const queue = queueOf([item('a', 1), ...many(150, () => item('a', 10)), item('a', 2)], 10, 10_000);
    expect(queue.takeGroup().map(({ size }) => size)).toEqual([1]);
    expect(queue.size).toBe(1_502);
  });
});

describe('tenants', () => {
  test('take turns by group: a flood of one delays the others by one group', () => {
    const queue = queueOf([...many(50, () => item('flood', 10)), item('b'), item('c')]);
    expect(turnsOf(queue).slice(0, 5)).toEqual(['flood10', 'b1', 'c1', 'flood10', 'flood10']);
  });

  test('that come while a flood waits get the next turn but one', () => {
    const queue = queueOf(many(50, () => item('flood', 10)));
    queue.takeGroup();
    queue.push(item('late'));
    expect(turnsOf(queue).slice(0, 2)).toEqual(['flood10', 'late1']);
  });

  test('get one turn each if 10,000 come at once, in the order of their arrival', () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `t${index}.`);
    const queue = queueOf([...many(20, () => item('flood', 10)), ...names.map((name) => item(name))]);
    const turns = turnsOf(queue);
    expect(turns.slice(1, 10_001)).toEqual(names.map((name) => `${name}1`));
    expect(turns).toHaveLength(10_020);
  });
});

test('a tenant that is not admitted keeps its turn', () => {
  const queue = queueOf([item('a'), item('b'), item('c')]);
  expect(queue.takeGroup((tenant) => tenant !== 'a').map(({ tenant }) => tenant)).toEqual(['b']);
  expect(queue.takeGroup((tenant) => tenant === 'b')).toEqual([]);
  expect(turnsOf(queue)).toEqual(['a1', 'c1']);
});

describe('a full queue', () => {
  test('of one tenant takes nothing more of it, and takes what others have within equal parts', () => {
    const queue = queueOf([], 10, 100);
    const fill = (tenant: string): number => {
      let count = 0;
      for (; queue.admits(tenant, 1); count++) queue.push(item(tenant));
      return count;
    };
    expect(fill('a')).toBe(100);
    expect(fill('b')).toBe(50);
    expect(fill('c')).toBe(33);
    // At twice its size it takes nothing from anybody.
    expect(fill('d')).toBe(17);
    expect(queue.size).toBe(200);
    expect(queue.admits('e', 1)).toBe(false);
    for (let group = queue.takeGroup(); queue.size > 110; group = queue.takeGroup())
      expect(group).not.toEqual([]);
    // a has more than its part still, and d has less.
    expect(queue.admits('a', 1)).toBe(false);
    expect(queue.admits('new', 1)).toBe(true);
  });

  test('takes a first item that is larger than the part of its tenant', () => {
    const queue = queueOf([...many(90, () => item('a')), ...many(10, (index) => item(`t${index}`))], 10, 100);
    expect(queue.admits('b', 50)).toBe(true);
    expect(queue.admits('b', 101)).toBe(false);
    expect(queue.admits('t1', 50)).toBe(false);
  });

  test('that is empty takes an item of any size', () => {
    expect(queueOf([], 10, 100).admits('a', 1_000)).toBe(true);
  });
});
