/**
 * Every case of test/cli/cases through `charge import` against a real server. A case says what is right; its README says
 * how. One book serves all of them: no two cases have a row in common.
 */

import { afterAll, beforeAll, test } from '@jest/globals';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Charge, providerToJSON } from '../../generated/charge/v1/charge.ts';
import { ListChargesOrder, type ListChargesResponse } from '../../generated/charge/v1/charge_service.ts';
import { call, openTestServer, type TestServer } from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { runInProcess } from './support/in-process.ts';

type Counts = Readonly<Record<string, number>>;

/** What one import may come to. See the README of the cases. */
interface Outcome {
  readonly expect: 'imported' | 'rows_rejected' | 'refused_before_first_row';
  readonly created: number | null;
  readonly rejected: number | null;
  readonly sums: Readonly<Record<string, number | null>>;
  readonly models?: Counts;
  readonly providers?: Counts;
  readonly user_profiles?: Counts;
  readonly sessions?: Counts;
  readonly usage_times?: Counts;
  readonly labels?: Readonly<Record<string, Counts>>;
  readonly not_usage?: number;
  readonly either?: readonly { prompt_tokens: number; completion_tokens: number; usage_time?: string }[];
  readonly says_one_of?: readonly string[];
  readonly then?: readonly Expectation[];
}

interface Expectation extends Outcome {
  readonly file: string;
  readonly args: readonly string[];
  readonly only_if_said?: string;
  readonly also_right?: readonly Outcome[];
}

/** What an import came to. */
interface Import {
  readonly status: number;
  readonly text: string;
  readonly rejected: number;
  readonly created: readonly Charge[];
}

const CASES = join(import.meta.dirname, 'cases');
const names = readdirSync(CASES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const expectations = names.flatMap(({ name }) => {
  const list = [JSON.parse(readFileSync(join(CASES, name, 'expected.json'), 'utf8'))].flat() as Expectation[];
  return list.map((expectation) => [`${name}/${expectation.file}`, expectation] as const);
});

let store: TestStore;
let server: TestServer;
let folder: string;
const seen = new Set<string>();

beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
  // Reject files are written beside the inputs.
  folder = mkdtempSync(join(tmpdir(), 'import-cases-'));
  cpSync(CASES, folder, { recursive: true });
});
afterAll(async () => {
  await server.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

for (const [name, expectation] of expectations) {
  const check = async (): Promise<void> => expectRight(name.split('/')[0] ?? '', expectation, '');
  test(name, check);
}

/** Imports the file of an expectation and what follows it. `said`: what the import before has printed. */
async function expectRight(directory: string, expected: Expectation, said: string): Promise<void> {
  if (expected.only_if_said !== undefined && !said.includes(expected.only_if_said)) return;
  const actual = await importFile(join(folder, directory, expected.file), expected.args);
  const outcomes: readonly Outcome[] = [expected, ...(expected.also_right ?? [])];
  const faults = outcomes.map((outcome) => faultsOf(outcome, actual));
  const right = outcomes[faults.findIndex((list) => list.length === 0)];
  if (!right) throw new Error(`${expected.file}: ${JSON.stringify(faults, null, 2)}\n${actual.text}`);
  for (const next of right.then ?? expected.then ?? []) await expectRight(directory, next, actual.text);
}

async function importFile(file: string, args: readonly string[]): Promise<Import> {
  const flags = ['--yes', '--json', '--address', server.address];
  const { code, stdout, stderr } = await runInProcess('import', file, ...args, ...flags);
  const report = (stdout === '' ? {} : JSON.parse(stdout)) as { rejected?: number };
  return { status: code, text: stderr + stdout, rejected: report.rejected ?? 0, created: await newCharges() };
}

/** The charges that were not there at the call before. */
async function newCharges(): Promise<Charge[]> {
  const fresh: Charge[] = [];
  let pageToken = '';
  do {
    const order = ListChargesOrder.LIST_CHARGES_ORDER_UNSPECIFIED;
    const request = { pageSize: 1000, pageToken, filter: undefined, order, includeCorrected: false };
    const page = await call<ListChargesResponse>((done) => server.client.listCharges(request, done));
    fresh.push(...page.charges.filter(({ id }) => !seen.has(id)));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  for (const { id } of fresh) seen.add(id);
  return fresh;
}

/** Everything in which an import differs from an outcome. */
function faultsOf(outcome: Outcome, actual: Import): string[] {
  const faults: string[] = [];
  const compare = (what: string, is: unknown, right: unknown): void => {
    const [text, rightText] = [JSON.stringify(is), JSON.stringify(right)];
    if (right !== null && text !== rightText) faults.push(`${what} is ${text}, right is ${rightText}`);
  };
  const open = [...(outcome.either ?? [])];
  const settled = actual.created.filter((charge) => {
    const index = open.findIndex(
      (row) =>
        BigInt(row.prompt_tokens) === charge.promptTokens &&
        BigInt(row.completion_tokens) === charge.completionTokens &&
        (row.usage_time === undefined || row.usage_time === timeOf(charge)),
    );
    if (index < 0) return true;
    open.splice(index, 1);
    return false;
  });
  const rejectedMax = (outcome.rejected ?? Infinity) + open.length + (outcome.not_usage ?? 0);
  const rejectedMin = outcome.rejected === null ? 0 : outcome.rejected + open.length;
  if (outcome.expect === 'refused_before_first_row') compare('exit status', actual.status, 2);
  else compare('exit status', actual.status, actual.rejected > 0 ? 1 : 0);
  if (actual.rejected < rejectedMin || actual.rejected > rejectedMax)
    faults.push(`${actual.rejected} rows are rejected, right are ${rejectedMin} to ${rejectedMax}`);
  compare('created', settled.length, outcome.created);
  if (outcome.created !== null)
    for (const [name, right] of Object.entries(outcome.sums))
      compare(name, String(sum(settled, name)), right === null ? null : String(right));
  const compareValues = (
    what: string,
    right: Counts | undefined,
    valueOf: (charge: Charge) => unknown,
  ): void => {
    for (const [value, count] of Object.entries(right ?? {}))
      compare(`${what} ${value}`, settled.filter((charge) => valueOf(charge) === value).length, count);
  };
  compareValues('model', outcome.models, ({ model }) => model);
  compareValues('provider', outcome.providers, ({ provider }) => providerToJSON(provider));
  compareValues('user', outcome.user_profiles, ({ userProfile }) => userProfile);
  compareValues('session', outcome.sessions, ({ sessionKey }) => sessionKey);
  compareValues('time', outcome.usage_times, timeOf);
  for (const [key, counts] of Object.entries(outcome.labels ?? {}))
    compareValues(`label ${key}`, counts, ({ labels }) => labels.get(key));
  const words = outcome.says_one_of ?? [];
  const text = actual.text.toLowerCase();
  if (words.length > 0 && !words.some((word) => text.includes(word.toLowerCase())))
    faults.push(`says none of ${words.join(', ')}`);
  return faults;
}

function sum(charges: readonly Charge[], name: string): bigint {
  const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return charges.reduce((total, charge) => {
    const values = { ...charge.tokenDetails, ...charge } as Readonly<Record<string, unknown>>;
    return total + ((values[camel] as bigint | undefined) ?? 0n);
  }, 0n);
}

/** RFC 3339 in UTC, to the microsecond, without zeros at the end. */
function timeOf({ usageTime }: Charge): string {
  const { seconds = 0n, nanos = 0 } = usageTime ?? {};
  const fraction = String(Math.trunc(nanos / 1000))
    .padStart(6, '0')
    .replace(/0+$/, '');
  return new Date(Number(seconds) * 1000).toISOString().replace('.000Z', `${fraction && `.${fraction}`}Z`);
}
