/** Who may call what. A call that may not is refused before its request is read. */

import { once } from 'node:events';

import { afterEach, expect, test } from '@jest/globals';

import type { RecordChargesResponse } from '../../generated/charge/v1/charge_service.ts';
import { ServiceError, unauthenticated, databaseUnavailable } from '../../src/errors/failure.ts';
import { readContractImage } from '../../src/grpc/contract-image.ts';
import { readMethodAccess } from '../../src/grpc/method-access.ts';
import type { Authenticate, Principal, Scope } from '../../src/grpc/principal.ts';
import { healthClient } from './support/health.ts';
import {
  call,
  chargeRequest,
  errorOf,
  EVERYTHING,
  failureOf,
  type Fixture,
  startServer,
} from './support/server.ts';

let fixture: Fixture;
const start = async (authenticate: Authenticate): Promise<void> => {
  fixture = await startServer({}, { authenticate });
};
afterEach(async () => {
  await fixture.close();
  expect(fixture.server.load).toMatchObject({ callsInFlight: 0, requestBytes: 0, recordStreams: 0 });
});

const withScopes = (...scopes: Scope[]): Principal => ({ ...EVERYTHING, scopes: new Set(scopes) });
const create = (id: string) => call(fixture.client, 'createCharge', chargeRequest(id));
const get = () => call(fixture.client, 'getCharge', { key: { $case: 'requestId', value: 'nobody' } });
const recordError = async () =>
  errorOf(await new Promise((resolve) => fixture.client.recordCharges().on('error', resolve)));

test('a method needs its scope', async () => {
  await start(() => withScopes('RECORD'));
  await create('r-1');
  const refused = { code: 'PERMISSION_DENIED', reason: 'PERMISSION_DENIED' };
  expect(await failureOf(get())).toMatchObject({ ...refused, metadata: { required_scope: 'SCOPE_READ' } });
  expect(fixture.counts).toContain('refused PERMISSION_DENIED');
});

test('a stream needs its scope', async () => {
  await start(() => withScopes('READ'));
  expect(await recordError()).toMatchObject({ metadata: { required_scope: 'SCOPE_RECORD' } });
});

test('a call without an accepted credential is refused, whether that is known at once or later', async () => {
  let later = false;
  const failure = unauthenticated('MISSING');
  await start(() => (later ? Promise.resolve(failure) : failure));
  for (later of [false, true]) {
    const refused = { code: 'UNAUTHENTICATED', reason: 'UNAUTHENTICATED', metadata: { cause: 'MISSING' } };
    expect(await failureOf(create('r-1'))).toMatchObject(refused);
    expect(await recordError()).toMatchObject(refused);
  }
  expect(fixture.journal.groups).toEqual([]);
});

test('a call goes on once its credential is known', async () => {
  await start(() => Promise.resolve(EVERYTHING));
  expect((await create('r-1')).charge).toBeDefined();
  const stream = fixture.client.recordCharges();
  const ended = once(stream, 'end');
  const responses: RecordChargesResponse[] = [];
  stream.on('data', (response: RecordChargesResponse) => responses.push(response));
  stream.write({ request: chargeRequest('r-2') });
  stream.end();
  await ended;
  expect(responses).toMatchObject([{ result: { charge: { userProfile: 'user-1' } } }]);
});

test('a credential that cannot be checked now is no refusal', async () => {
  await start(() => Promise.reject(new ServiceError(databaseUnavailable(1000, 'nothing'))));
  expect(await failureOf(create('r-1'))).toMatchObject({ code: 'UNAVAILABLE' });
  expect(await recordError()).toMatchObject({ code: 'UNAVAILABLE' });
});

test('everybody may ask for health', async () => {
  await start(() => unauthenticated('MISSING'));
  const health = healthClient(fixture.address);
  expect(await health.check('')).toBe('SERVING');
  health.close();
});

test('the contract says of each method who may call it', () => {
  const accessOf = readMethodAccess(readContractImage());
  const access = (service: string, method: string) => accessOf({ service: `charge.v1.${service}`, method });
  expect(access('ChargeService', 'CreateCharge')).toEqual({
    requiredScope: 'RECORD',
    forOneUserProfile: true,
  });
  expect(access('ChargeService', 'VoidCharge')).toEqual({
    requiredScope: 'CORRECT',
    forOneUserProfile: false,
  });
  expect(access('TenantService', 'CreateTenant')).toMatchObject({ requiredScope: 'ADMIN' });
  expect(accessOf({ service: 'grpc.health.v1.Health', method: 'Check' })).toBeUndefined();
});

test('a method that is not for single user profiles refuses credentials of one', async () => {
  const accessOf = readMethodAccess(readContractImage());
  expect(accessOf({ service: 'charge.v1.PriceService', method: 'ListPrices' })).toMatchObject({
    forOneUserProfile: false,
  });
  await start(() => ({ ...EVERYTHING, userProfile: 'user-1' }));
  const voided = new Promise((resolve) => {
    fixture.client.voidCharge({ chargeId: '', requestId: '', reason: '' } as never, resolve);
  });
  expect(errorOf(await voided)).toMatchObject({
    code: 'PERMISSION_DENIED',
    metadata: { user_profile: 'user-1' },
  });
});
