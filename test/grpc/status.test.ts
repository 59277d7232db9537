/** The error map: every failure has its code, reason and details, whatever texts are in it. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ErrorReason } from '../../generated/charge/v1/error_reason.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import { type BorderFailure, describeFailure } from '../../src/grpc/errors.ts';
import { STATUS_DETAILS_KEY, toCallError, toProtoStatus } from '../../src/grpc/status.ts';
import { summaryOf } from './support/server.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom('\ud800', 'a\udfff', '\0', '\r\n', '%', '€'.repeat(1000)),
);
const retryAfterMs = fc.integer({ min: 1, max: 100_000 });
const kind = <K extends BorderFailure['kind']>(name: K) => fc.constant(name);
const violation = fc.record({ field: text, description: text, rule: fc.constant('string.max_len') });
const failure: fc.Arbitrary<BorderFailure> = fc.oneof(
  fc.record({ kind: kind('validation_failed'), violations: fc.array(violation, { maxLength: 100 }) }),
  fc.record({ kind: kind('malformed_message') }),
  fc.record({ kind: kind('message_too_large'), limitBytes: fc.nat(), sizeBytes: fc.nat() }),
  fc.record({
    kind: kind('request_id_reused'),
    requestId: fc.constant('r'),
    field: text,
    chargeId: fc.uuid(),
  }),
  fc.record({ kind: kind('charge_not_found'), id: fc.uuid() }),
  fc.record({ kind: kind('page_token_invalid') }),
  fc.record({ kind: kind('sequence_out_of_range'), startSequence: fc.bigInt(), lastSequence: fc.bigInt() }),
  fc.record({ kind: kind('overloaded'), limit: fc.constant('write_queue'), retryAfterMs }),
  fc.record({ kind: kind('shutting_down'), retryAfterMs }),
  fc.record({ kind: kind('database_unavailable'), retryAfterMs }),
  fc.record({ kind: kind('deadline_exceeded') }),
  fc.record({ kind: kind('cancelled') }),
  fc.record({ kind: kind('internal'), correlationId: fc.uuid() }),
);

test('every failure travels in trailers that every client takes', () => {
  fc.assert(
    fc.property(failure, (made) => {
      const { code, details, metadata } = toCallError(made);
      // encodeURI is what grpc-js does with the text: it throws on half a surrogate pair.
      const bytes = metadata.get(STATUS_DETAILS_KEY)[0] as Buffer;
      // 8 KiB for all trailers is what clients of Java and C++ take.
      expect(encodeURI(details).length + bytes.length * (4 / 3)).toBeLessThan(8000);
      const status = Status.decode(bytes);
      expect(status).toMatchObject({ code, message: details });
      const { reason, domain, retryAfterMs: told } = summaryOf(status);
      expect(domain).toBe('charge.v1');
      expect(ErrorReason).toHaveProperty(`ERROR_REASON_${reason ?? ''}`);
      expect(told).toBe('retryAfterMs' in made ? made.retryAfterMs : undefined);
    }),
    { numRuns: 500 },
  );
});

test('every reason but UNSPECIFIED is given by some failure', () => {
  const given = new Set(fc.sample(failure, 500).map((made) => describeFailure(made).reason));
  const documented = Object.keys(ErrorReason)
    .filter((name) => name.startsWith('ERROR_REASON_') && !name.endsWith('UNSPECIFIED'))
    .map((name) => name.replace('ERROR_REASON_', ''));
  expect([...given].sort()).toEqual(documented.sort());
});

test('violations that do not fit are counted', () => {
  const violations = Array.from({ length: 200 }, (_, i) => ({
    field: `f${i}`,
    description: 'd'.repeat(100),
    rule: 'r',
  }));
  const told = summaryOf(toProtoStatus({ kind: 'validation_failed', violations })).violations;
  expect(told.length).toBeGreaterThan(20);
  const rest = 200 - (told.length - 1);
  expect(told.at(-1)).toMatchObject({ field: '', description: `and ${rest} more` });
});
