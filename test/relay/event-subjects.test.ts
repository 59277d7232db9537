/** Whose events travel on which subject, whatever a tenant is called. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  EVENT_KINDS,
  EVENT_PATTERNS,
  encodeHeaders,
  subjectOf,
  subjectsOf,
} from '../../src/relay/event-message.ts';
import { missingSubjects } from '../../src/relay/stream-condition.ts';

test('the operator’s own tenant has short subjects, any other one a token of its own', () => {
  expect(subjectsOf('default')).toEqual(
    expect.arrayContaining(['charge.created', 'charge.voided', 'charge.amended', 'charge.repriced']),
  );
  expect(subjectOf({ kind: 'created', tenant: 'acme' })).toBe('charge.acme.created');
  // A tenant may have the name of a kind: the number of tokens tells.
  expect(subjectOf({ kind: 'created', tenant: 'created' })).toBe('charge.created.created');
  expect(missingSubjects(EVENT_PATTERNS, [...subjectsOf('default'), ...subjectsOf('acme')])).toEqual([]);
});

test.each([
  ['acme.created', 'charge.acme%2Ecreated.created'],
  ['*', 'charge.%2A.created'],
  ['>', 'charge.%3E.created'],
  ['acme.>', 'charge.acme%2E%3E.created'],
  ['a b', 'charge.a%20b.created'],
  ['a\r\nPUB charge.created 0\r\n\r\n', 'charge.a%0D%0APUB%20charge%2Ecreated%200%0D%0A%0D%0A.created'],
])('a tenant named %j cannot leave its token', (tenant, subject) => {
  expect(subjectOf({ kind: 'created', tenant })).toBe(subject);
});

test('no name of a tenant makes another line of a header, another token or a wildcard', () => {
  fc.assert(
    fc.property(
      fc.string({
        minLength: 1,
        unit: fc.constantFrom('.', '*', '>', '\r', '\n', ' ', '\t', '\0', ':', '%', 'a', 'ü', '😀'),
      }),
      fc.constantFrom(...EVENT_KINDS),
      (tenant, kind) => {
        const tokens = subjectOf({ kind, tenant }).split('.');
        expect(tokens).toHaveLength(3);
        expect(tokens[1]).toMatch(/^[^\s.*>\0]+$/);
        const id = '00000000-0000-7000-8000-000000000001';
        const event = { kind, id, subject: id, tenant, sequence: 1n, createTimeMs: 0, traceparent: '' };
        const headers = (of: string) =>
          encodeHeaders(
            { ...event, tenant: of, payload: new Uint8Array() },
            'json',
            'Nats-Expected-Stream: CHARGES',
          )
            .toString('latin1')
            .split('\r\n')
            .map((line) => line.split(': ')[0]);
        expect(headers(tenant)).toEqual(headers('acme'));
      },
    ),
  );
});

test('two tenants never share a subject', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (one, other) => {
      const subjects = subjectsOf(one);
      if (one !== other)
        expect(subjectsOf(other).filter((subject) => subjects.includes(subject))).toEqual([]);
    }),
  );
});
