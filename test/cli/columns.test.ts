import { expect, test } from '@jest/globals';
import { layoutOf, planColumns, type ColumnRules } from '../../src/cli/import/columns.ts';
import { FIELD_NAMES, fieldNamed } from '../../src/cli/import/fields.ts';
import { LAYOUTS } from '../../src/cli/import/layouts.ts';
import { field } from './support/in-process.ts';

function plan(columns: string[], rules: Partial<ColumnRules> = {}) {
  const result = planColumns(columns, { map: [], labels: undefined, idColumns: [], ...rules });
  const pairs = result.assignments.map(
    ({ field: { name }, choices }) =>
      `${choices.map((sum) => sum.map((index) => columns[index]).join(' + ')).join(' | ')}=${name}`,
  );
  return { ...result, pairs };
}

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
  expect(pairs).toEqual(['user=user_profile', 'prompt_tokens=prompt_tokens']);
  expect(unknown).toEqual(['input_tokens']);
});

test('--map goes before guesses, and its column is not guessed for another field', () => {
  const map = [[field('reference'), 'user'] as const];
  expect(plan(['user', 'model'], { map }).pairs).toEqual(['user=reference', 'model=model']);
});

test('--map adds up columns with a + between them, unless one column is called so', () => {
  const map = [[field('prompt_tokens'), 'a + b'] as const];
  expect(plan(['a', 'b'], { map }).pairs).toEqual(['a + b=prompt_tokens']);
  expect(plan(['a', 'b', 'a + b'], { map })).toMatchObject({
    pairs: ['a + b=prompt_tokens'],
    unknown: ['a', 'b'],
  });
  expect(plan(['a'], { map }).missing).toEqual(['b']);
});

test('unknown columns are named, become labels, or only those that are chosen do', () => {
  expect(plan(['branch', 'model', '']).unknown).toEqual(['branch']);
  expect(plan(['branch'], { labels: true }).pairs).toEqual(['branch=label.branch']);
  const chosen = plan(['branch', 'tier', 'model'], { labels: ['tier', 'model', 'zone'] });
  expect(chosen.pairs).toEqual(['model=model', 'tier=label.tier', 'model=label.model']);
  expect(chosen).toMatchObject({ unknown: ['branch'], missing: ['zone'] });
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
});

test('fields that the service sets are left out, not taken for labels', () => {
  const { pairs, serverSet } = plan(['id', 'create_time', 'updateTime'], { labels: true });
  expect(pairs).toEqual([]);
  expect(serverSet).toEqual(['id', 'create_time', 'updateTime']);
});

test('attributes of spans are found with and without the key around them', () => {
  for (const prefix of ['', 'attributes.', 'span_attributes.']) {
    const columns = ['usage.input_tokens', 'usage.prompt_tokens'].map((name) => `${prefix}gen_ai.${name}`);
    const layout = layoutOf(columns, LAYOUTS);
    expect(layout?.name).toBe('OpenTelemetry GenAI');
    expect(plan(columns, { layout }).pairs).toEqual([`${columns.join(' | ')}=prompt_tokens`]);
  }
});

test('every name in the table of layouts is a field', () => {
  for (const layout of LAYOUTS) {
    const columns = layout.has.map((column) => column.split(' | ')[0] ?? '');
    expect(layoutOf(columns, [layout])).toBe(layout);
    expect(() => planColumns(columns, { map: [], labels: undefined, idColumns: [], layout })).not.toThrow();
    for (const name of Object.keys(layout.set ?? {})) expect(fieldNamed(name)).toBeDefined();
  }
});
