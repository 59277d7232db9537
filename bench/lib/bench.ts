/** A whole run: starts the servers, runs the scenarios one after another, and stops everything however it ends. */

import type { BenchOptions } from './args.ts';
import { forkChild } from './child.ts';
import { type Environment, openEnvironment, runSql } from './environment.ts';
import { type Facts, readFacts } from './facts.ts';
import type { Job } from './load/jobs.ts';
import { formatScenario, mediansOf, type ScenarioResult } from './report.ts';
import { ratioOf, runRounds } from './rounds.ts';
import type { Figure, OpenScenario, Scenario } from './scenario.ts';

const EXIT_INTERRUPTED = 130;
const FORCE_AFTER_MS = 60_000;

/** What `--out` writes. */
export interface BenchResults {
  readonly facts: Facts;
  readonly options: BenchOptions;
  /** Medians of the rounds' ratios. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Numbers that are no ratios; texts are with their scenario. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly scenarios: readonly ScenarioResult[];
}

/** Runs the chosen scenarios and prints their tables. Throws at the first count that does not match. */
export async function runBench(all: readonly Scenario[], options: BenchOptions): Promise<BenchResults> {
  const chosen =
    options.scenarios.length === 0 ? all : all.filter(({ name }) => options.scenarios.includes(name));
  await using stack = new AsyncDisposableStack();
  stack.defer(stopOnSignals(stack));
  const environment = await openEnvironment(stack, options.dir);
  const facts = await readFacts(environment);
  for (const [name, value] of Object.entries(facts)) console.log(`${name}: ${value}`);
  const results: ScenarioResult[] = [];
  for (const scenario of chosen) {
    const result = await runScenario(scenario, environment, options, stack);
    console.log(formatScenario(result));
    results.push(result);
  }
  const ratios = results.flatMap((result) => result.ratios);
  const figures = results.flatMap((result) => Object.entries(result.figures));
  return {
    facts,
    options,
    ratios: Object.fromEntries(ratios.map(({ key, median }) => [key, median])),
    metrics: Object.fromEntries(
      figures.flatMap(([key, { value }]) => (typeof value === 'number' ? [[key, value]] : [])),
    ),
    scenarios: results,
  };
}

async function runScenario(
  scenario: Scenario,
  environment: Environment,
  options: BenchOptions,
  outer: AsyncDisposableStack,
): Promise<ScenarioResult> {
  await using stack = new AsyncDisposableStack();
  // A signal ends the scenario before its servers; ending it twice does nothing.
  outer.defer(() => stack.disposeAsync());
  const progress = (text: string): void => console.error(`${scenario.name}: ${text}`);
  progress('starting');
  const load = await forkChild<Job>('lib/load/process.ts');
  stack.defer(() => load.stop());
  const notes: string[] = [];
  const figures: Record<string, Figure> = {};
  const { quick } = options;
  const open = withContenders(
    await scenario.open({
      environment,
      load,
      stack,
      quick,
      note: (text) => void notes.push(text),
      report: (key, figure) => void (figures[key] = figure),
    }),
    options.only,
  );
  // All rounds begin with the same clean buffers; no other checkpoint happens during them.
  await runSql(environment.postgres.url, 'CHECKPOINT');
  const rounds = await runRounds(open, options, progress);
  const { name, title } = scenario;
  const ratios = open.ratios.map((ratio) => ratioOf(ratio, rounds));
  return { name, title, unit: open.unit, rounds, medians: mediansOf(rounds), ratios, notes, figures };
}

/** The scenario with the contenders that were asked for, and the ratios between contenders that are there. */
function withContenders(scenario: OpenScenario, names: readonly string[] | undefined): OpenScenario {
  const contenders = scenario.contenders.filter(({ name }) => names?.includes(name) ?? true);
  const present = new Set(contenders.map(({ name }) => name));
  const ratios = scenario.ratios.filter(({ of, to }) => present.has(of) && present.has(to));
  return { ...scenario, contenders, ratios };
}

/** Ctrl-C stops the servers in order; a second one, or a minute, ends this process. Returns how to stop listening. */
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
