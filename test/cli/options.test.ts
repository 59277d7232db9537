import { expect, test } from '@jest/globals';
import { readFlags } from './support/in-process.ts';

function faultsOf(...args: string[]): string {
  try {
    readFlags(...args);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

function addressOf(listen: string, ...flags: string[]): string {
  process.env['LISTEN'] = listen;
  try {
    return readFlags('a.csv', ...flags).server.address;
  } finally {
    delete process.env['LISTEN'];
  }
}

test('a file is all that is needed', () => {
  expect(readFlags('usage.csv')).toMatchObject({
    server: { address: '127.0.0.1:50051', tls: undefined, apiKey: undefined, flags: [] },
    format: 'csv',
    delimiter: undefined,
    rejectsPath: 'usage.csv.rejects.ndjson',
  });
});

test('the format comes from the extension or from --format, or later from the content', () => {
  expect(readFlags('A.TSV').format).toBe('tsv');
  expect(readFlags('a.csv.gz').format).toBe('csv');
  expect(readFlags('a.json').format).toBe('json');
  expect(readFlags('a.log').format).toBeUndefined();
  expect(faultsOf('a.log', '--format', 'xls')).toContain('--format: xls');
  expect(readFlags('a.jsonl').format).toBe('ndjson');
  expect(readFlags('a.log', '--format', 'ndjson').format).toBe('ndjson');
});

test('the address is LISTEN unless --address is given; the unspecified address means this machine', () => {
  expect(addressOf('10.0.0.1:7')).toBe('10.0.0.1:7');
  expect(addressOf('')).toBe('127.0.0.1:50051');
  expect(addressOf('0.0.0.0:7')).toBe('127.0.0.1:7');
  expect(addressOf('[::]:7')).toBe('[::1]:7');
  expect(addressOf('10.0.0.1:7', '--address', 'charges.internal:8')).toBe('charges.internal:8');
});

test('every fault is listed in one message', () => {
  const text = faultsOf(
    'a.csv',
    'b.csv',
    '--format',
    'xls',
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
    '--labels',
    'a,,b',
  );
  for (const part of [
    'one FILE',
    '--format',
    'no field nothing',
    'FIELD=COLUMN',
    'no field id',
    '--streams',
    'HOST:PORT',
    '--labels',
  ]) {
    expect(text).toContain(part);
  }
});

test('standard input needs no flag', () => {
  expect(faultsOf('-')).toBe('');
});

test('--labels takes all columns or those that are named, and does not swallow the file unnoticed', () => {
  expect(readFlags('a.csv').labels).toBeUndefined();
  expect(readFlags('a.csv', '--labels').labels).toBe(true);
  expect(readFlags('a.csv', '--labels', 'team, region').labels).toEqual(['team', 'region']);
  expect(faultsOf('--labels', 'a.csv')).toContain('before --labels');
});

test('--set may give a default for a field that --map fills', () => {
  expect(faultsOf('a.csv', '--map', 'model=m', '--set', 'model=x')).toBe('');
});

test('an unknown flag is named, with the flag that was probably meant', () => {
  expect(faultsOf('a.csv', '--maps', 'x')).toMatch(/--maps[^]*--map\?/);
});

test('an address that cannot be called is refused, with the name of the flag or variable', () => {
  expect(() => addressOf('here')).toThrow('LISTEN: "here" is not HOST:PORT');
  expect(faultsOf('a.csv', '--address', '127.0.0.1:0')).toContain('port 0');
});
