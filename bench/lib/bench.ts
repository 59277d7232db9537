/** A whole run: servers up, scenarios one after another, everything down again however it ends. */

import { scenarios } from '../scenarios/index.ts';
import { type BenchOptions, UsageError } from './args.ts';
import { type Environment, openEnvironment } from './environment.ts';
import { type Facts, readFacts } from './facts.ts';
import { startLoadClient } from './load/client.ts';
import { formatScenario, mediansOf, type ScenarioResult } from './report.ts';
import { ratioOf, runRounds } from './rounds.ts';
import type { OpenScenario, Scenario } from './scenario.ts';

const EXIT_INTERRUPTED = 130;
const FORCE_AFTER_MS = 60_000;

/** What `--out` holds. */
export interface BenchResults {
  readonly facts: Facts;
  readonly options: BenchOptions;
  /** Medians of the rounds' ratios, by scenario and the thing compared. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Ratios and figures beyond those. */
  readonly more: Readonly<Record<string, number | string>>;
  readonly scenarios: readonly ScenarioResult[];
}

/** The ratios that were agreed on; whatever else a scenario compares goes to `more`. */
const AGREED: ReadonlySet<string> = new Set([
  'create_256.vs_empty_call',
  'create_256.vs_naive',
  'create_256.vs_django_create',
  'create_64.p99_vs_empty_call',
  'create_1.p50_vs_single_row',
  'batch_500.vs_unnest',
  'batch_500.vs_django_bulk',
  'record.vs_batch',
  'relay.vs_raw_jetstream',
  'processes_2.vs_1',
  'create_at_10m.vs_at_100k',
]);

/** Runs the scenarios and prints their tables. Throws at the first count that does not match. */
export async function runBench(options: BenchOptions): Promise<BenchResults> {
  const chosen = chooseScenarios(options.scenarios);
  await using stack = new AsyncDisposableStack();
  const removeHandlers = stopOnSignals(stack);
  stack.defer(removeHandlers);
  const environment = await openEnvironment(stack);
  const facts = await readFacts(environment);
  console.log(
    Object.entries(facts)
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
  );
  const results: ScenarioResult[] = [];
  for (const scenario of chosen) {
    const result = await runScenario(scenario, environment, options, stack);
    console.log(formatScenario(result, options.plot));
    results.push(result);
  }
  const ratios = results.flatMap((result) => result.ratios);
  const byKey = (agreed: boolean): Record<string, number> =>
    Object.fromEntries(
      ratios.filter(({ key }) => AGREED.has(key) === agreed).map(({ key, median }) => [key, median]),
    );
  const reported = Object.assign({}, ...results.map((result) => result.reported)) as Record<
    string,
    number | string
  >;
  return { facts, options, ratios: byKey(true), more: { ...byKey(false), ...reported }, scenarios: results };
}

async function runScenario(
  scenario: Scenario,
  environment: Environment,
  options: BenchOptions,
  outer: AsyncDisposableStack,
): Promise<ScenarioResult> {
  await using stack = new AsyncDisposableStack();
  // A signal ends the scenario before the servers below it; ending it twice does nothing.
  outer.defer(() => stack.disposeAsync());
  const load = await startLoadClient();
  stack.defer(() => load.stop());
  const notes: string[] = [];
  const reported: Record<string, number | string> = {};
  const progress = (text: string): void => console.error(`${scenario.name}: ${text}`);
  progress('starting');
  const open = onlyThese(
    options.only,
    await scenario.open({
      environment,
      load,
      stack,
      quick: options.quick,
      note: (text) => notes.push(text),
      report: (key, value) => (reported[key] = value),
    }),
  );
  // Every contender's rounds begin with the same clean buffers; no other checkpoint falls into them.
  await environment.sql(environment.postgres.url, 'CHECKPOINT');
  const rounds = await runRounds(open, options, progress);
  return {
    name: scenario.name,
    title: scenario.title,
    unit: open.unit,
    rounds,
    medians: mediansOf(rounds),
    ratios: open.ratios.map((ratio) => ratioOf(ratio, rounds)),
    notes,
    reported,
  };
}

function chooseScenarios(names: readonly string[]): readonly Scenario[] {
  if (names.length === 0) return scenarios;
  return names.map((name) => {
    const found = scenarios.find((scenario) => scenario.name === name);
    if (found === undefined) {
      throw new UsageError(`no scenario ${name}; there are ${scenarios.map((each) => each.name).join(', ')}`);
    }
    return found;
  });
}

/** The scenario with the contenders that were asked for, and the ratios between them. */
function onlyThese(names: readonly string[] | undefined, scenario: OpenScenario): OpenScenario {
  if (names === undefined) return scenario;
  return {
    ...scenario,
    contenders: scenario.contenders.filter(({ name }) => names.includes(name)),
    ratios: scenario.ratios.filter(({ of, to }) => names.includes(of) && names.includes(to)),
  };
}

/** Ctrl-C ends the servers in order; a second one, or a minute, ends this process. */
function stopOnSignals(stack: AsyncDisposableStack): () => void {
  let signalled = false;
  const onSignal = (): void => {
    if (signalled) process.exit(EXIT_INTERRUPTED);
    signalled = true;
    console.error('stopping; a second signal ends the bench at once');
    setTimeout(() => process.exit(EXIT_INTERRUPTED), FORCE_AFTER_MS).unref();
    void stack.disposeAsync().finally(() => process.exit(EXIT_INTERRUPTED));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
}
