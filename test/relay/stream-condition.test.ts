/** What the settings of a stream mean. What NATS does with such streams: stream-drift.test.ts. */

import { describe, expect, test } from '@jest/globals';
import type { StreamConfig } from '@nats-io/jetstream';

import { missingSubjects, streamCondition } from '../../src/relay/stream-condition.ts';

/** As NATS describes a stream that was made with these settings. */
function condition(settings: Partial<StreamConfig>) {
  const limits = { max_msgs: -1, max_bytes: -1, max_msgs_per_subject: -1, max_msg_size: -1 };
  const config = {
    name: 'CHARGES',
    subjects: ['charge.>', 'user_profile.>'],
    discard: 'new',
    retention: 'limits',
    storage: 'file',
  };
  return streamCondition({ ...config, ...limits, ...settings } as StreamConfig);
}

describe('the subjects', () => {
  test.each([['charge.>'], ['>'], ['*.>']])('%s take every event of every tenant', (subject) => {
    expect(condition({ subjects: ['user_profile.>', subject] })).toMatchObject({ faults: [], warnings: [] });
  });

  test.each([
    ['charge'],
    ['charge.*'],
    ['*.*'],
    ['charge.*.>'],
    ['charge.acme.>'],
    ['charge.created'],
    ['*'],
    ['*.voided'],
  ])('%s do not', (subject) => {
    expect(condition({ subjects: [subject] }).faults).toHaveLength(1);
  });

  test('that are missing are named', () => {
    const [fault] = condition({ subjects: ['charge.created', '*.voided'] }).faults;
    expect(fault).toMatch(/does not take charge\.>, user_profile\.> .*: add charge\.>, user_profile\.>$/);
  });

  test('that a stream lacks of several are named, and only those', () => {
    const wanted = ['charge.>', 'user_profile.>', 'charge.created', 'charge.*.created'];
    expect(missingSubjects(['charge.>'], wanted)).toEqual(['user_profile.>']);
    expect(missingSubjects(['charge.*'], wanted)).toEqual(['charge.>', 'user_profile.>', 'charge.*.created']);
    expect(missingSubjects(['>'], wanted)).toEqual([]);
  });
});

test.each<[string, Partial<StreamConfig>, RegExp[]]>([
  ['no limit', { discard: 'old' }, []],
  ['limits that refuse', { max_msgs: 5, max_bytes: 5_000 }, []],
  [
    'old, two limits',
    { discard: 'old', max_msgs: 5, max_bytes: 50 },
    [/max_msgs: 5, max_bytes: 50; discard: old/],
  ],
  ['per subject, refuses', { max_msgs_per_subject: 5, discard_new_per_subject: true }, []],
  [
    'a new subject',
    { subject_transform: { src: '>', dest: 'x.>' } },
    [/stores events under another subject/],
  ],
  ['small messages', { max_msg_size: 2_000 }, [/at most 2000 bytes/]],
  ['large messages', { max_msg_size: 1_000_000 }, []],
  ['several', { retention: 'interest', storage: 'memory' }, [/interest/, /memory/]],
])('warnings: %s', (_, settings, expected) => {
  const { faults, refusesAll, warnings } = condition(settings);
  expect({ faults, refusesAll }).toEqual({ faults: [], refusesAll: undefined });
  expect(warnings).toEqual(expected.map((warning) => expect.stringMatching(warning) as unknown));
});
