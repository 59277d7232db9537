import { expect, test } from '@jest/globals';

import { TenantShares } from '../../src/grpc/tenant-shares.ts';
import { TenantTurns } from '../../src/grpc/tenant-turns.ts';
import { waitFor } from '../support/wait-for.ts';

/** Work that is done when it is told, and the order in which it has begun. */
function openTurns(max: number, waitingMax: number) {
  const turns = new TenantTurns({ max, waitingMax });
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const start = (tenant: string): Promise<void> =>
    turns.run(tenant, () => {
      begun.push(tenant);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  return { turns, begun, ends, start };
}

test('tenants take turns, and within a tenant the oldest call comes first', async () => {
  const { begun, ends, start } = openTurns(1, 16);
  const calls = ['a', 'a', 'a', 'b', 'c', 'b'].map(start);
  for (let ended = 0; ended < calls.length; ended++) {
    await waitFor('the next one to begin', () => begun.length > ended);
    ends[ended]?.();
  }
  await Promise.all(calls);
  expect(begun).toEqual(['a', 'a', 'b', 'c', 'a', 'b']);
});

test('work that fails passes its place on', async () => {
  const { turns } = openTurns(1, 16);
  const failed = turns.run('a', () => Promise.reject(new Error('no')));
  const next = turns.run('b', () => Promise.resolve('done'));
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('done');
});

test('who has waited for too long gives up, and takes nobody’s turn', async () => {
  const { turns, begun, ends, start } = openTurns(1, 16);
  const first = start('a');
  const patience = { ms: 1, error: () => new Error('too long') };
  await expect(turns.run('a', () => Promise.resolve(), patience)).rejects.toThrow('too long');
  await expect(turns.run('b', () => Promise.resolve(), patience)).rejects.toThrow('too long');
  const last = start('b');
  ends[0]?.();
  await first;
  await waitFor('the last one', () => begun.length === 2);
  ends[1]?.();
  await last;
  expect(await turns.run('c', () => Promise.resolve('at once'), patience)).toBe('at once');
});

test('a tenant that fills the queue keeps no other one out', () => {
  const { turns, start } = openTurns(1, 4);
  void start('a');
  for (let waiting = 0; waiting < 4; waiting++) {
    expect(turns.admits('a')).toBe(true);
    void start('a');
  }
  expect(turns.admits('a')).toBe(false);
  expect(turns.admits('b')).toBe(true);
  void start('b');
  void start('b');
  expect(turns.admits('b')).toBe(false);
  expect(turns.admits('c')).toBe(true);
});

test('above the limit, everybody has an equal part of it, up to the hard limit', () => {
  const shares = new TenantShares({ max: 2, hardMax: 3 });
  shares.add('a');
  shares.add('a');
  expect([shares.admits('a'), shares.admits('b')]).toEqual([false, true]);
  shares.add('b');
  expect(shares.admits('c')).toBe(false);
  shares.remove('a');
  expect([shares.admits('b'), shares.admits('c')]).toEqual([false, true]);
  shares.remove('b');
  expect(shares.admits('a')).toBe(true);
});
