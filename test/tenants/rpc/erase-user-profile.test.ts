/** EraseUserProfile as a caller sees it, and what callers are told about erased charges. */

import { ChannelCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

import {
  type EraseUserProfileResponse,
  UserProfileServiceClient,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { archive, closeLongAgo, createBatch, getCharge, recordAll } from '../../charges/support/archive.ts';
import {
  amendCharge,
  type CorrectionServer,
  create,
  openCorrectionServer,
  watch,
} from '../../charges/support/corrections.ts';
import { decodeStatus, errorOf, openTestServer, call, type TestServer } from '../../support/server.ts';

let book: CorrectionServer;
let server: TestServer;
let profiles: UserProfileServiceClient;
beforeAll(async () => {
  book = await openCorrectionServer();
  server = await openTestServer(book.url);
  profiles = new UserProfileServiceClient(server.address, ChannelCredentials.createInsecure());
});
afterAll(async () => {
  profiles.close();
  await server.close();
  await book.close();
});

const erase = (id: string) =>
  call<EraseUserProfileResponse>((callback) => profiles.eraseUserProfile({ id }, callback));

test('an id that breaks the rules, or that nobody knows, is refused', async () => {
  expect(await errorOf(erase(''))).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED' });
  expect(await errorOf(erase('a\0b'))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(await errorOf(erase('nobody'))).toMatchObject({
    code: 'NOT_FOUND',
    reason: 'USER_PROFILE_NOT_FOUND',
    metadata: { user_profile: 'nobody' },
  });
});

test('every way to record tells that the charge is erased, and only its id', async () => {
  const { client } = book;
  const { charge: first } = await create(client, 'a', { userProfile: 'zoë' });
  const { charge: second } = await create(client, 'b', { userProfile: 'zoë' });
  const amend = () => amendCharge(client, 'b', 'c', { promptTokens: 1n, userProfile: 'zoë' });
  const { charge: replacement } = await amend();
  const erased = await erase('zoë');
  expect(erased).toEqual({
    pseudonym: expect.stringMatching(/^erased-[0-9a-f]{16}$/),
    charges: 3n,
    done: true,
  });
  const of = (id: string | undefined) => ({
    code: 'FAILED_PRECONDITION',
    reason: 'CHARGE_ERASED',
    metadata: { charge_id: id },
  });
  expect(await errorOf(create(client, 'a', { userProfile: 'zoë' }))).toMatchObject(of(first?.id));
  expect(await errorOf(create(client, 'a', { userProfile: 'other' }))).toMatchObject(of(first?.id));
  expect(await errorOf(amend())).toMatchObject(of(replacement?.id));
  const { results } = await createBatch(client, ['a', 'b', 'new']);
  expect(results.slice(0, 2).map(({ status }) => decodeStatus(status))).toMatchObject([
    of(first?.id),
    of(second?.id),
  ]);
  expect(results[2]?.charge).toBeDefined();
  const streamed = await recordAll(client, ['b', 'a']);
  expect(streamed.map(({ result }) => decodeStatus(result?.status))).toMatchObject([
    of(second?.id),
    of(first?.id),
  ]);
  const { charge } = await getCharge(client, 'a');
  expect(charge).toMatchObject({
    id: first?.id,
    userProfile: erased.pseudonym,
    sessionKey: '',
    reference: '',
  });
});

test('a watch gets the event at its place, also if it asks for the person only', async () => {
  const { client } = book;
  await create(client, 'w', { userProfile: 'wanda' });
  const { sequence } = await book.rows();
  const { pseudonym } = await erase('wanda');
  const event = {
    $case: 'userProfileErased',
    value: {
      pseudonym,
      userProfile: 'wanda',
      charges: 1n,
      sequence: BigInt(sequence + 1),
      tenant: 'default',
    },
  };
  const from = BigInt(sequence + 1);
  expect((await watch(client, 1, {}, from))[0]?.event).toMatchObject(event);
  expect((await watch(client, 1, { userProfile: 'wanda' }, from))[0]?.event).toMatchObject(event);
  expect((await watch(client, 1, { userProfile: pseudonym }, from))[0]?.event).toMatchObject(event);
  const { charge } = await create(client, 'of-another', { userProfile: 'will' });
  expect((await watch(client, 1, { userProfile: 'will' }, from))[0]?.event).toMatchObject({
    $case: 'chargeCreated',
    value: { charge: { id: charge?.id } },
  });
});

test('a charge that was erased and then archived still makes no second one', async () => {
  const { client } = book;
  const { charge } = await create(client, 'old', { userProfile: 'olga' });
  await erase('olga');
  await closeLongAgo(book.pool);
  await archive(client, [charge?.id ?? '']);
  expect(await errorOf(create(client, 'old', { userProfile: 'olga' }))).toMatchObject({
    reason: 'CHARGE_ERASED',
    metadata: { charge_id: charge?.id },
  });
});
