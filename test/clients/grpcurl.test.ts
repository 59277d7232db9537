/** The service through grpcurl, which knows nothing but the address: everything else comes over reflection. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createFileRegistry, type DescEnum, type DescMessage, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

import { readContractImage } from '../../src/grpc/contract-image.ts';
import { openTestServer, type TestServer } from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { findGrpcurl, skipNote } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';
import { labelsOf, rulesOf } from './support/contract-options.ts';
import { Grpcurl, parseMessages } from './support/grpcurl.ts';

const SERVICE = 'charge.v1.ChargeService';
const HEALTH = 'grpc.health.v1.Health';
const PRICES = 'charge.v1.PriceService';
const TENANTS = 'charge.v1.TenantService';
const USAGE = 'charge.v1.UsageService';
const USER_PROFILES = 'charge.v1.UserProfileService';
/** grpcurl ends with 64 plus the gRPC code. */
const STATUS = { invalidArgument: 67, deadlineExceeded: 68, notFound: 69, alreadyExists: 70 };

const program = await findGrpcurl();
const withGrpcurl = program.path === undefined ? describe.skip : describe;
const skipped = skipNote('grpcurl', program);

/** The contract as `buf build` wrote it: what reflection has to show. */
const contract = createFileRegistry(fromBinary(FileDescriptorSetSchema, readContractImage()));
const own = [...contract].filter((type) => type.typeName.startsWith('charge.v1.'));
const messages = own.filter((type): type is DescMessage => type.kind === 'message');
const enums = own.filter((type): type is DescEnum => type.kind === 'enum');

let store: TestStore;
let server: TestServer;
let grpcurl: Grpcurl;

const charge = (fields: object = {}): object => ({
  userProfile: 'grpcurl',
  provider: 'PROVIDER_OPENAI',
  chargeType: 'CHARGE_TYPE_COMPLETION',
  model: 'gpt-4o',
  promptTokens: 374,
  completionTokens: '44',
  ...fields,
});

withGrpcurl(`grpcurl${skipped}`, () => {
  beforeAll(async () => {
    store = await openTestStore();
    server = await openTestServer(store.url);
    grpcurl = new Grpcurl(program.path ?? '', server.address);
  });
  afterAll(async () => {
    await server.close();
    await store.close();
  });

  describe('describes', () => {
    test('every service and method', async () => {
      expect((await grpcurl.run([], 'list')).trim().split('\n')).toEqual([
        SERVICE,
        PRICES,
        TENANTS,
        USAGE,
        USER_PROFILES,
        HEALTH,
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
      ]);
      for (const [service, count] of [
        [SERVICE, 12],
        [PRICES, 7],
        [TENANTS, 11],
        [USAGE, 3],
        [USER_PROFILES, 7],
      ] as const) {
        const names = contract.getService(service)?.methods.map(({ name }) => name) ?? [];
        expect(names).toHaveLength(count);
        const listed = (await grpcurl.run([], 'list', service)).trim().split('\n');
        expect(listed).toEqual(names.map((name) => `${service}.${name}`).toSorted());
        const text = await grpcurl.run([], 'describe', service);
        for (const name of names) expect(text).toContain(`rpc ${name} (`);
      }
      expect(await grpcurl.run([], 'describe', SERVICE)).toContain(
        'rpc RecordCharges ( stream .charge.v1.RecordChargesRequest ) returns ( stream ',
      );
    });

    test(`every message with its fields, and every enum with its values`, async () => {
      expect(messages.length).toBeGreaterThanOrEqual(17);
      expect(enums.map(({ name }) => name).sort()).toEqual([
        'CallOutcome',
        'ChargeState',
        'ChargeType',
        'CostStatus',
        'ErrorReason',
        'FindingKind',
        'ListChargesOrder',
        'ModelMatch',
        'Outcome',
        'Provider',
        'ReconcileCheck',
        'Scope',
        'ServiceTier',
        'SumLevel',
        'UnknownUserProfiles',
        'UnpricedReason',
        'UsageDimension',
        'UsageKind',
        'UsageOrder',
        'UsageWindow',
      ]);
      for (const type of [...messages, ...enums]) {
        const text = await grpcurl.run([], 'describe', type.typeName);
        expect(text).toMatch(`${type.typeName} is ${type.kind === 'enum' ? 'an enum' : 'a message'}:`);
        const parts = type.kind === 'enum' ? type.values : type.fields;
        for (const { name, number } of parts) expect(text).toMatch(new RegExp(`\\b${name} = ${number}\\b`));
      }
    });

    test('every comment of the contract, where it stands in the source', async () => {
      expect(await grpcurl.run([], 'describe', SERVICE)).toMatch(
        /\/\/ Records one charge[^]*rpc CreateCharge /,
      );
      const text = await grpcurl.run([], 'describe', 'charge.v1.Charge');
      expect(text).toMatch(/\/\/ [^\n]+\n *string user_profile = /);
    });

    test('every label and every rule of the contract', async () => {
      const labels = enums.map(({ typeName }) => labelsOf(contract, typeName));
      const reflectedLabels = enums.map(async ({ typeName }) =>
        labelsOf(await grpcurl.dump(typeName), typeName),
      );
      expect(await Promise.all(reflectedLabels)).toEqual(labels);
      expect(labels.flat()).toEqual(
        expect.arrayContaining([
          ['PROVIDER_OPENAI', 'OpenAI'],
          ['PROVIDER_META_AI', 'Meta AI'],
          ['CHARGE_TYPE_COMPLETION', 'Prompt Completion'],
          ['PROVIDER_UNSPECIFIED', undefined],
        ]),
      );
      // Together they import all files.
      const reflected = [
        await grpcurl.dump(PRICES),
        await grpcurl.dump(TENANTS),
        await grpcurl.dump(USAGE),
        await grpcurl.dump(USER_PROFILES),
      ];
      const rules = messages.flatMap((type) => rulesOf(contract, type.typeName));
      expect(
        messages.flatMap(({ typeName }) => {
          const registry = reflected.find((known) => known.getMessage(typeName) !== undefined);
          return registry === undefined ? [] : rulesOf(registry, typeName);
        }),
      ).toEqual(rules);
      expect(rules.length).toBeGreaterThanOrEqual(40);
      expect(rules).toEqual(
        expect.arrayContaining([
          [
            'charge.v1.Charge.user_profile',
            expect.objectContaining({
              type: { case: 'string', value: expect.objectContaining({ minLen: 1n, maxLen: 255n }) },
            }),
          ],
          ['charge.v1.GetChargeRequest.key', expect.objectContaining({ required: true })],
        ]),
      );
    });
  });

  describe('calls', () => {
    test('CreateCharge, again, and GetCharge both ways', async () => {
      const request = { requestId: 'grpcurl-1', charge: charge({ labels: { team: 'a' } }) };
      const [created] = (await grpcurl.call(`${SERVICE}/CreateCharge`, request)) as {
        charge: { id: string };
      }[];
      expect(created).toEqual({
        charge: expect.objectContaining({
          userProfile: 'grpcurl',
          totalTokens: '418',
          labels: { team: 'a' },
        }),
      });
      expect(await grpcurl.call(`${SERVICE}/CreateCharge`, request)).toEqual([
        { ...created, replayed: true },
      ]);
      expect(await grpcurl.call(`${SERVICE}/GetCharge`, { id: created?.charge.id })).toEqual([created]);
      expect(await grpcurl.call(`${SERVICE}/GetCharge`, { requestId: 'grpcurl-1' })).toEqual([created]);
    });

    test('BatchCreateCharges, with the details of a rejected item', async () => {
      const requests = [
        { requestId: 'grpcurl-batch', charge: charge() },
        { requestId: 'grpcurl-bad', charge: charge({ model: '' }) },
        { requestId: 'grpcurl-batch', charge: charge() },
      ];
      expect(await grpcurl.call(`${SERVICE}/BatchCreateCharges`, { requests })).toEqual([
        {
          results: [
            { outcome: 'OUTCOME_CREATED', charge: expect.objectContaining({ userProfile: 'grpcurl' }) },
            {
              outcome: 'OUTCOME_REJECTED',
              status: expect.objectContaining({ code: 3, details: expect.anything() }),
            },
            { outcome: 'OUTCOME_REPLAYED', charge: expect.objectContaining({ userProfile: 'grpcurl' }) },
          ],
        },
      ]);
    });

    test('RecordCharges, with several messages on standard input', async () => {
      const requests = Array.from({ length: 20 }, (_, i) => ({
        request: { requestId: `grpcurl-stream-${i}`, charge: charge({ reference: `item-${i}` }) },
      }));
      expect(await grpcurl.call(`${SERVICE}/RecordCharges`, ...requests)).toEqual(
        requests.map((_, i) => ({
          result: { outcome: 'OUTCOME_CREATED', charge: expect.objectContaining({ reference: `item-${i}` }) },
        })),
      );
    });

    test('ListCharges, in pages', async () => {
      const user = { userProfile: 'grpcurl-list' };
      const requests = [1, 2, 3].map((i) => ({
        requestId: `grpcurl-list-${i}`,
        charge: charge({ ...user, reference: `r-${i}`, usageTime: `2026-01-0${i}T00:00:00.000001Z` }),
      }));
      await grpcurl.call(`${SERVICE}/BatchCreateCharges`, { requests });
      const request = { pageSize: 2, filter: user, order: 'LIST_CHARGES_ORDER_OLDEST_FIRST' };
      const [first] = (await grpcurl.call(`${SERVICE}/ListCharges`, request)) as { nextPageToken: string }[];
      expect(first).toEqual({
        charges: [1, 2].map((i) =>
          expect.objectContaining({ reference: `r-${i}`, usageTime: `2026-01-0${i}T00:00:00.000001Z` }),
        ),
        nextPageToken: expect.stringMatching(/./),
      });
      expect(
        await grpcurl.call(`${SERVICE}/ListCharges`, { ...request, pageToken: first?.nextPageToken }),
      ).toEqual([{ charges: [expect.objectContaining({ reference: 'r-3' })] }]);
    });

    test('WatchCharges, from the beginning on and live', async () => {
      await grpcurl.call(`${SERVICE}/CreateCharge`, { requestId: 'grpcurl-stored', charge: charge() });
      const { rows } = await store.owner.pool.query<{ n: string }>('SELECT count(*) AS n FROM charge');
      const stored = Number(rows[0]?.n);
      const watch = grpcurl.startCall(`${SERVICE}/WatchCharges`, [{ startSequence: 1 }]);
      await waitFor('what is stored', () => watch.stdout.includes(`"sequence": "${stored}"`));
      const live = { requestId: 'grpcurl-live', charge: charge({ reference: 'live' }) };
      const answer = await grpcurl.call(`${SERVICE}/CreateCharge`, live);
      await waitFor('what is new', () => /"reference": "live"[^]*^\}\n$/m.test(watch.stdout));
      watch.stop();
      const { stdout } = await watch.ended;
      const events = parseMessages(stdout) as { chargeCreated: { sequence: string; charge: object } }[];
      expect(events.map(({ chargeCreated }) => chargeCreated.sequence)).toEqual(
        Array.from({ length: stored + 1 }, (_, i) => String(i + 1)),
      );
      expect(answer).toEqual([{ charge: events.at(-1)?.chargeCreated.charge }]);
    });

    test('Health: Check, List and Watch', async () => {
      // It needs its time: the other calls are made meanwhile.
      const watching = grpcurl.failing(`${HEALTH}/Watch`, { service: SERVICE }, '-max-time', '2');
      expect(await grpcurl.call(`${HEALTH}/Check`, {})).toEqual([{ status: 'SERVING' }]);
      expect(await grpcurl.call(`${HEALTH}/Check`, { service: SERVICE })).toEqual([{ status: 'SERVING' }]);
      expect((await grpcurl.failing(`${HEALTH}/Check`, { service: 'nobody' })).status).toBe(STATUS.notFound);
      expect(await grpcurl.call(`${HEALTH}/List`, {})).toEqual([
        {
          statuses: expect.objectContaining({ '': { status: 'SERVING' }, [SERVICE]: { status: 'SERVING' } }),
        },
      ]);
      const watch = await watching;
      expect(watch.status).toBe(STATUS.deadlineExceeded);
      expect(parseMessages(watch.stdout)).toEqual([{ status: 'SERVING' }]);
    });
  });

  describe('shows errors', () => {
    test('with reason, metadata and every violation, for people', async () => {
      const { status, stderr } = await grpcurl.failing(`${SERVICE}/CreateCharge`, {
        charge: charge({ userProfile: '' }),
      });
      expect(status).toBe(STATUS.invalidArgument);
      for (const part of [
        'Code: InvalidArgument',
        'google.rpc.ErrorInfo',
        'VALIDATION_FAILED',
        'google.rpc.BadRequest',
        'charge.user_profile',
        'request_id',
      ]) {
        expect(stderr).toContain(part);
      }
    });

    test('with reason and metadata, for programs', async () => {
      const request = { requestId: 'grpcurl-reused', charge: charge() };
      const [{ charge: original }] = (await grpcurl.call(`${SERVICE}/CreateCharge`, request)) as [
        { charge: { id: string } },
      ];
      const other = { ...request, charge: charge({ model: 'other' }) };
      const { status, stderr } = await grpcurl.failing(`${SERVICE}/CreateCharge`, other, '-format-error');
      expect(status).toBe(STATUS.alreadyExists);
      expect(JSON.parse(stderr)).toEqual({
        code: 6,
        message: expect.stringContaining(original.id),
        details: [
          {
            '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
            domain: 'charge.v1',
            reason: 'REQUEST_ID_REUSED',
            metadata: { request_id: 'grpcurl-reused', field: 'model', charge_id: original.id },
          },
        ],
      });
    });
  });
});
