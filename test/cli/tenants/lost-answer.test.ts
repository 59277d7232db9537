/** `charge key create` against a service whose answer is lost. */

import { type sendUnaryData, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { TenantServiceService } from '../../../generated/charge/v1/tenant_service.ts';
import { runInProcess } from '../support/in-process.ts';

const server = new Server();
let address: string;
let calls = 0;
beforeAll(async () => {
  const fail = (_: unknown, done: sendUnaryData<unknown>): void => {
    calls++;
    done({ code: status.UNAVAILABLE, details: 'gone' });
  };
  const { createApiKey, rotateApiKey } = TenantServiceService;
  server.addService({ createApiKey, rotateApiKey }, { createApiKey: fail, rotateApiKey: fail });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  address = `127.0.0.1:${port}`;
});
afterAll(() => server.forceShutdown());

test.each([
  ['create', '--scope', 'read'],
  ['rotate', 'abc'],
])('key %s makes no second key, and says how to find the first', async (...args) => {
  const before = calls;
  const { code, stdout, stderr } = await runInProcess('key', ...args, '--address', address);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain('"charge key list" shows it');
  expect(calls - before).toBe(1);
});
