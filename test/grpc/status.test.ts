/** Every failure has its code, reason and details, whatever texts are in it. */

import { status as Code } from '@grpc/grpc-js';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ErrorReason } from '../../generated/charge/v1/error_reason.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import { CHARGE_STATE, type Correction } from '../../src/charges/charge.ts';
import * as chargeFailures from '../../src/charges/errors.ts';
import * as commonFailures from '../../src/errors/failure.ts';
import * as priceFailures from '../../src/prices/errors.ts';
import * as tenantFailures from '../../src/tenants/errors.ts';
import * as usageFailures from '../../src/usage/errors.ts';
import { callTimeout, COMPRESSED } from '../../src/grpc/call-headers.ts';
import { prepareFailure, STATUS_DETAILS_KEY, toCallError, toProtoStatus } from '../../src/grpc/status.ts';
import { summaryOf } from './support/server.ts';

type Failure = commonFailures.Failure;

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom('\ud800', 'a\udfff', '\0', '\r\n', '%', '€'.repeat(1000)),
);
const id = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 128 });
const tenantId = fc.constantFrom('default', 'a'.repeat(63));
const retryAfterMs = fc.integer({ min: 1, max: 100_000 });
const violations = fc.array(
  fc.record({ field: text, description: text, rule: fc.constant('string.max_len') }),
  { maxLength: 100 },
);

const closedPeriod = fc.record({
  endTimeMicros: fc.bigInt(-62_135_596_800_000_000n, 253_402_300_799_999_999n),
  sequence: fc.bigInt(0n, 2n ** 63n - 1n),
});

const CORRECTION: Correction = {
  id: '0190a0e0-0000-7000-8000-000000000001',
  chargeId: '0190a0e0-0000-7000-8000-000000000002',
  state: CHARGE_STATE.voided,
  replacementId: '0190a0e0-0000-7000-8000-000000000003',
  reason: 'test traffic',
  closedPeriod: false,
  createTimeMicros: 0n,
  sequence: 1n,
};

/** Arguments for each function that makes a failure, by the function's name. */
const MADE_BY: Readonly<Record<string, fc.Arbitrary<Failure>>> = {
  validationFailed: violations.map(commonFailures.validationFailed),
  malformedMessage: fc.constant(0).map(commonFailures.malformedMessage),
  messageTooLarge: fc.tuple(fc.nat(), fc.nat()).map((sizes) => commonFailures.messageTooLarge(...sizes)),
  tenantLimitExceeded: retryAfterMs.map((after) =>
    commonFailures.tenantLimitExceeded('streams', '10 streams', after),
  ),
  overloaded: fc
    .tuple(fc.constant('write_queue'), fc.constant('50,000 waiting charges'), retryAfterMs)
    .map((parts) => commonFailures.overloaded(...parts)),
  shuttingDown: retryAfterMs.map(commonFailures.shuttingDown),
  databaseUnavailable: fc
    .tuple(retryAfterMs, fc.constantFrom('nothing' as const, 'maybe' as const))
    .map((parts) => commonFailures.databaseUnavailable(...parts)),
  deadlineExceeded: fc.constant(0).map(commonFailures.deadlineExceeded),
  cancelled: fc.constant(0).map(commonFailures.cancelled),
  internalError: fc.uuid().map(commonFailures.internalError),
  requestIdReused: fc
    .record({
      outcome: fc.constant('conflict' as const),
      requestId: id,
      field: fc.option(text, { nil: undefined }),
      chargeId: fc.uuid(),
    })
    .map(chargeFailures.requestIdReused),
  chargeNotFound: fc
    .oneof(fc.record({ id: fc.uuid() }), fc.record({ requestId: id }))
    .map(chargeFailures.chargeNotFound),
  voidRequestIdReused: fc
    .record({ requestId: id, field: fc.constant('reason'), correctionId: fc.uuid() })
    .map(chargeFailures.voidRequestIdReused),
  runIdReused: fc.tuple(id, fc.constant('filter')).map((parts) => chargeFailures.runIdReused(...parts)),
  amountOutOfRange: fc.constant('USD').map(chargeFailures.amountOutOfRange),
  chargeAlreadyCorrected: fc
    .tuple(fc.uuid(), fc.constantFrom(CHARGE_STATE.voided, CHARGE_STATE.amended))
    .map(([uuid, state]) => chargeFailures.chargeAlreadyCorrected({ ...CORRECTION, id: uuid, state })),
  amendmentUnchanged: fc.uuid().map(chargeFailures.amendmentUnchanged),
  periodClosed: closedPeriod.map(chargeFailures.periodClosed),
  repricePeriodClosed: fc
    .tuple(closedPeriod, fc.uuid())
    .map((parts) => chargeFailures.repricePeriodClosed(...parts)),
  laterPeriodClosed: closedPeriod.map(chargeFailures.laterPeriodClosed),
  chargeArchived: fc
    .tuple(fc.uuid(), fc.constantFrom('read' as const, 'correct' as const))
    .map((parts) => chargeFailures.chargeArchived(...parts)),
  recordedAndArchived: fc.uuid().map(chargeFailures.recordedAndArchived),
  sequenceArchived: fc
    .tuple(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }))
    .map((sequences) => chargeFailures.sequenceArchived(...sequences)),
  chargesNotArchivable: fc
    .uuid()
    .map((uuid) =>
      chargeFailures.chargesNotArchivable([
        { cause: 'CHARGE_NOT_FOUND', text: 'it is missing', metadata: { charge_id: uuid } },
      ]),
    ),
  pageTokenInvalid: fc.constant(0).map(commonFailures.pageTokenInvalid),
  sequenceOutOfRange: fc
    .tuple(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }))
    .map((sequences) => chargeFailures.sequenceOutOfRange(...sequences)),
  priceRefused: fc
    .record({
      refusal: fc.oneof(
        fc.record({
          kind: fc.constant('conflict' as const),
          requestId: id,
          version: fc.nat(),
          field: fc.constant('price.note'),
        }),
        fc.record({
          kind: fc.constant('effective_time_past' as const),
          version: fc.nat(),
          effectiveTimeMicros: fc.bigInt(-62_135_596_800_000_000n, 253_402_300_799_999_999n),
        }),
        fc.record({ kind: fc.constant('alias_chain' as const), model: text }),
        fc.constant({ kind: 'too_many' as const }),
      ),
      index: fc.nat(999),
    })
    .chain((refused) => fc.boolean().map((inBatch) => priceFailures.priceRefused(refused, inBatch))),
  priceNotFound: fc.bigInt(1n, 2n ** 63n - 1n).map(priceFailures.priceNotFound),
  scanLimitExceeded: fc
    .constantFrom('charges', 'user profiles', 'times', 'no sums')
    .map((cause) => usageFailures.scanLimitExceeded(1_000_000, cause)),
  fillLimitExceeded: fc.nat().map(usageFailures.fillLimitExceeded),
  sumOutOfRange: fc
    .constantFrom<[string, string?]>(['prompt_tokens'], ['costs', 'USD'])
    .map((parts) => usageFailures.sumOutOfRange(...parts)),
  asOfOutOfRange: fc
    .tuple(fc.bigInt(0n, 2n ** 63n - 1n), fc.bigInt(0n, 2n ** 63n - 1n))
    .map((sequences) => usageFailures.asOfOutOfRange(...sequences)),
  asOfArchived: fc
    .tuple(fc.bigInt(0n, 2n ** 63n - 1n), fc.bigInt(0n, 2n ** 63n - 1n))
    .map((sequences) => usageFailures.asOfArchived(...sequences)),
  usageArchived: fc
    .bigInt(-62_135_596_800_000_000n, 253_402_300_799_999_999n)
    .map(usageFailures.usageArchived),
  unknownTimeZone: fc.constant(0).map(usageFailures.unknownTimeZone),
  tooManyWindows: fc.constant(0).map(usageFailures.tooManyWindows),
  unauthenticated: fc
    .constantFrom('MISSING' as const, 'MALFORMED' as const, 'INVALID' as const, 'EXPIRED' as const)
    .map(commonFailures.unauthenticated),
  permissionDenied: fc
    .constantFrom('SCOPE_READ', 'SCOPE_ADMIN')
    .map((scope) => commonFailures.permissionDenied('It needs a scope.', { required_scope: scope })),
  issuerUnavailable: retryAfterMs.map(tenantFailures.issuerUnavailable),
  tenantNotFound: tenantId.map(tenantFailures.tenantNotFound),
  tenantAlreadyExists: tenantId.map(tenantFailures.tenantAlreadyExists),
  tenantSuspended: tenantId.map(tenantFailures.tenantSuspended),
  notTheOperator: tenantId.map(tenantFailures.notTheOperator),
  scopesNotHeld: fc.constantFrom(['READ'], ['READ', 'ADMIN']).map(tenantFailures.scopesNotHeld),
  apiKeyNotFound: text.map(tenantFailures.apiKeyNotFound),
  userProfileNotFound: text.map(tenantFailures.userProfileNotFound),
  userProfileAlreadyExists: text.map(tenantFailures.userProfileAlreadyExists),
  userProfileRefused: fc
    .record({ userProfile: text, fault: fc.constantFrom('unknown' as const, 'disabled' as const) })
    .map(chargeFailures.userProfileRefused),
  requestIdTaken: fc.uuid().map(chargeFailures.requestIdTaken),
  recordedAndErased: fc.uuid().map(chargeFailures.recordedAndErased),
  compressed: fc.constant(COMPRESSED),
  callTimeout: text
    .filter((value) => !/^\d+[HMSmun]$/.test(value))
    .map((value) => present(callTimeout(value).failure)),
};

const failure = fc.oneof(...Object.values(MADE_BY));

function present(made: Failure | undefined): Failure {
  if (made === undefined) throw new Error('no failure');
  return made;
}

test('every failure travels in trailers that every client accepts', () => {
  fc.assert(
    fc.property(failure, (made) => {
      const { code, details, metadata } = toCallError(made);
      // encodeURI is what grpc-js does with the text: it throws on half a surrogate pair.
      const bytes = metadata.get(STATUS_DETAILS_KEY)[0] as Buffer;
      // 8 KiB for all trailers is what clients of Java and C++ accept.
      expect(encodeURI(details).length + bytes.length * (4 / 3)).toBeLessThan(8000);
      expect(code).toBe(Code[made.code]);
      const status = Status.decode(bytes);
      expect(status).toMatchObject({ code, message: details });
      const summary = summaryOf(status);
      expect(summary).toMatchObject({
        reason: made.reason,
        domain: 'charge.v1',
        metadata: made.metadata ?? {},
      });
      expect(ErrorReason).toHaveProperty(`ERROR_REASON_${made.reason}`);
      expect(summary.retryAfterMs).toBe(made.retryAfterMs);
    }),
    { numRuns: 500 },
  );
});

test('a prepared failure travels as any other', () => {
  fc.assert(
    fc.property(failure, (made) => {
      const expected = toCallError(made);
      expect(toCallError(prepareFailure({ ...made }))).toEqual(expected);
    }),
  );
});

test('every function that makes a failure is tested here', () => {
  const functions = Object.entries({
    ...commonFailures,
    ...chargeFailures,
    ...priceFailures,
    ...tenantFailures,
    ...usageFailures,
  })
    .filter(([name, value]) => typeof value === 'function' && !['ServiceError', 'excerpt'].includes(name))
    .map(([name]) => name);
  expect(Object.keys(MADE_BY)).toEqual(expect.arrayContaining(functions));
});

test('every documented reason but UNSPECIFIED is given by some function, and no other', () => {
  const given = Object.values(MADE_BY).flatMap((made) => fc.sample(made, 30).map(({ reason }) => reason));
  const documented = Object.keys(ErrorReason)
    .filter((name) => name.startsWith('ERROR_REASON_') && !name.endsWith('UNSPECIFIED'))
    .map((name) => name.replace('ERROR_REASON_', ''));
  expect([...new Set<string>(given)].sort()).toEqual(documented.sort());
});

test('violations that do not fit are counted', () => {
  const many = Array.from({ length: 200 }, (_, i) => ({
    field: `f${i}`,
    description: 'd'.repeat(100),
    rule: 'r',
  }));
  const told = summaryOf(toProtoStatus(commonFailures.validationFailed(many))).violations;
  expect(told.length).toBeGreaterThan(20);
  const rest = 200 - (told.length - 1);
  expect(told.at(-1)).toMatchObject({ field: '', description: `and ${rest} more` });
});
