import { expect, test } from '@jest/globals';
import { readOptions, UsageError } from '../../src/cli/import/options.ts';

function faultsOf(...args: string[]): string {
  try {
    readOptions(args, undefined);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return '';
}

function read(args: string[], listen?: string) {
  const options = readOptions(args, listen);
  if (options === 'help') throw new Error('no help was asked for');
  return options;
}

test('a file is all that is needed', () => {
  expect(read(['usage.csv'])).toMatchObject({
    address: '127.0.0.1:50051',
    format: 'csv',
    delimiter: ',',
    rejectsPath: 'usage.csv.rejects.ndjson',
  });
});

test('the format comes from the extension or from --format', () => {
  expect(read(['A.TSV'])).toMatchObject({ format: 'tsv', delimiter: '\t' });
  expect(read(['a.jsonl']).format).toBe('ndjson');
  expect(read(['a.log', '--format', 'ndjson']).format).toBe('ndjson');
});

test('the address is LISTEN unless --address is given; the unspecified address means this machine', () => {
  expect(read(['a.csv'], '10.0.0.1:7').address).toBe('10.0.0.1:7');
  expect(read(['a.csv'], '0.0.0.0:7').address).toBe('127.0.0.1:7');
  expect(read(['a.csv'], '[::]:7').address).toBe('[::1]:7');
  expect(read(['a.csv', '--address', 'charges.internal:8'], '10.0.0.1:7').address).toBe('charges.internal:8');
});

test('every fault is listed in one message', () => {
  const text = faultsOf(
    'a.xls',
    'b.csv',
    '--map',
    'nothing=x',
    '--map',
    'model',
    '--set',
    'id=4',
    '--streams',
    '0',
    '--address',
    'here',
    '--file-id',
    'x',
    '--set',
    'model=a',
    '--map',
    'model=b',
  );
  for (const part of [
    'one FILE',
    'a.xls',
    'no field nothing',
    'FIELD=COLUMN',
    'no field id',
    '--streams',
    'HOST:PORT',
    '--file-id',
    'both --map and --set',
  ]) {
    expect(text).toContain(part);
  }
});

test('standard input needs a name and a format', () => {
  expect(faultsOf('-')).toContain('--source-name');
  expect(faultsOf('-', '--source-name', 'x')).toContain('--format');
  expect(faultsOf('-', '--source-name', 'x', '--format', 'csv')).toBe('');
});

test('unknown flags and port 0 are refused', () => {
  expect(faultsOf('a.csv', '--maps', 'x')).toContain('--maps');
  expect(faultsOf('a.csv', '--address', '127.0.0.1:0')).toContain('port 0');
});
