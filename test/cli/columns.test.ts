import { expect, test } from '@jest/globals';
import { planColumns, type ColumnRules } from '../../src/cli/import/columns.ts';
import { UsageError } from '../../src/cli/command.ts';
import { FIELD_NAMES, fieldNamed } from '../../src/cli/import/fields.ts';
import { planImport } from '../../src/cli/import/plan.ts';
import { field, readFlags } from './support/in-process.ts';

const NO_RULES: ColumnRules = {
  map: [],
  constants: [],
};

function plan(columns: string[], rules: Partial<ColumnRules> = {}) {
  const result = planColumns(columns, { ...NO_RULES, ...rules });
  const pairs = columns.flatMap((column, index) =>
    (result.targets[index] ?? []).map(({ name }) => `${column}=${name}`),
  );
  return { ...result, pairs };
}

function importPlan(columns: string[], ...flags: string[]) {
  return planImport(columns, readFlags('usage.csv', ...flags));
}

test('the columns of the Azure trace are guessed', () => {
  expect(plan(['TIMESTAMP', 'ContextTokens', 'GeneratedTokens']).pairs).toEqual([
    'TIMESTAMP=usage_time',
    'ContextTokens=prompt_tokens',
    'GeneratedTokens=completion_tokens',
  ]);
});

test('every field of the contract is found by its own name, in snake case and camel case', () => {
  for (const name of FIELD_NAMES) {
    const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    for (const column of [name, camel, name.toUpperCase(), name.replace('token_details.', '')]) {
      expect(plan([column]).pairs).toEqual([`${column}=${name}`]);
    }
    expect(fieldNamed(name)).toBeDefined();
  }
});

test('a column called like the field goes before a common name', () => {
  const { pairs, unknown } = plan(['input_tokens', 'prompt_tokens', 'user']);
  expect(pairs).toEqual(['prompt_tokens=prompt_tokens', 'user=user_profile']);
  expect(unknown).toEqual(['input_tokens']);
});

test('--map goes before guesses, and its column is not guessed for another field', () => {
  const map = [[field('reference'), 'user'] as const];
  expect(plan(['user', 'model'], { map }).pairs).toEqual(['user=reference', 'model=model']);
});

test('a constant keeps its field from being guessed', () => {
  const { pairs, unknown } = plan(['model'], { constants: [[field('model'), 'x']] });
  expect(pairs).toEqual([]);
  expect(unknown).toEqual(['model']);
});

test('unknown columns are named, or become labels', () => {
  expect(plan(['region', 'model', '']).unknown).toEqual(['region', '(column 3, without a name)']);
  expect(plan(['region'], { labels: true }).pairs).toEqual(['region=label.region']);
  expect(plan(['label.team', 'labels.cost.center']).pairs).toEqual([
    'label.team=label.team',
    'labels.cost.center=label.cost.center',
  ]);
});

test('each label is filled by one column: one called like it goes first, and the others are named', () => {
  const map = [[field('label.team'), 'Team'] as const];
  const mapped = plan(['label.team', 'Team', 'labels.team'], { map });
  expect(mapped.pairs).toEqual(['Team=label.team']);
  expect(mapped.unknown).toEqual(['label.team', 'labels.team']);
  const twice = plan(['team', 'label.team'], { labels: true });
  expect(twice.pairs).toEqual(['label.team=label.team']);
  expect(twice.unknown).toEqual(['team']);
  const constant = plan(['team'], { labels: true, constants: [[field('label.team'), 'x']] });
  expect(constant.unknown).toEqual(['team']);
});

test('fields that the service sets are left out, not taken for labels', () => {
  const { pairs, serverSet } = plan(['id', 'create_time', 'updateTime'], { labels: true });
  expect(pairs).toEqual([]);
  expect(serverSet).toEqual(['id', 'create_time', 'updateTime']);
});

test('cache counts that stand beside the input tokens are not guessed, and the warning says why', () => {
  const { warnings, columns } = importPlan([
    'timestamp',
    'input_tokens',
    'output_tokens',
    'cache_read_input_tokens',
  ]);
  expect(columns.unknown).toEqual(['cache_read_input_tokens']);
  expect(warnings.join()).toContain('prompt_tokens includes it');
});

test('what neither a column nor a constant gives has a default that is announced', () => {
  const { announcement, template } = importPlan(
    ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens'],
    '--set',
    'model=gpt-4',
  );
  expect(template.defaults).toEqual({
    user_profile: 'import',
    provider: 100,
    other_provider: 'unknown',
    charge_type: 1,
  });
  expect(announcement.join('\n')).toContain(
    'model=gpt-4, user_profile=import (default), provider=PROVIDER_OTHER (default)',
  );
});

test('every fault that the header shows is listed at once', () => {
  const run = () =>
    importPlan(['a', 'b'], '--map', 'model=c', '--request-id-column', 'd', '--set', 'provider=nobody');
  expect(run).toThrow(UsageError);
  try {
    run();
  } catch (error) {
    const text = (error as Error).message;
    for (const part of ['no column c', 'no column d', 'provider "nobody"', 'no column holds token counts'])
      expect(text).toContain(part);
  }
});

test('tools need no token counts', () => {
  expect(() => importPlan(['user'], '--set', 'charge_type=tool', '--set', 'provider=openai')).not.toThrow();
});

test('rows without time and reference get a warning about files that begin alike', () => {
  expect(importPlan(['user', 'tokens']).warnings.join()).toContain('--source-name');
  expect(importPlan(['user', 'tokens'], '--source-name', 'x').warnings.join()).not.toContain('--source-name');
  expect(importPlan(['user', 'tokens', 'time']).warnings).toEqual([]);
});
