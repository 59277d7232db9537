import { totalmem } from 'node:os';

import { afterEach, expect, jest, test } from '@jest/globals';

import { serverMemoryBytes } from '../../src/embedded/memory.ts';

const GIB = 1024 ** 3;

afterEach(() => {
  jest.restoreAllMocks();
});

test('an embedded server has an eighth of the container’s memory', () => {
  jest.spyOn(process, 'constrainedMemory').mockReturnValue(GIB / 2);
  expect(serverMemoryBytes()).toBe(Math.min(GIB / 2, totalmem()) / 8);
});

test('without a container, of the machine’s, and never more than 2 GiB', () => {
  jest.spyOn(process, 'constrainedMemory').mockReturnValue(0);
  expect(serverMemoryBytes()).toBe(Math.min(2 * GIB, Math.floor(totalmem() / 8)));
  jest.spyOn(process, 'constrainedMemory').mockReturnValue(2 ** 63);
  expect(serverMemoryBytes()).toBe(Math.min(2 * GIB, Math.floor(totalmem() / 8)));
});
