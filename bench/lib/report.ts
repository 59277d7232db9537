/** The results for people: a table per scenario, the ratios, and bars on request. */

import { HIGHER_IS_BETTER, type RatioResult, type Round } from './rounds.ts';
import { answeredRateOf, type CpuSeconds, type Measurement, rateOf } from './scenario.ts';
import { median } from './stats.ts';

/** Medians of a contender over the rounds. */
export interface Medians {
  readonly rate: number;
  /** Without the time of the drain. */
  readonly answeredRate: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly drainSeconds: number | undefined;
  /** Share of one core while the round ran. */
  readonly cores: CpuSeconds;
  /** Microseconds of CPU time per call, row or event. */
  readonly cpuMicros: CpuSeconds;
}

/** A finished scenario. */
export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly rounds: readonly Round[];
  readonly medians: Readonly<Record<string, Medians>>;
  readonly ratios: readonly RatioResult[];
  readonly notes: readonly string[];
  readonly reported: Readonly<Record<string, number | string>>;
}

const PARTIES = ['server', 'relay', 'database', 'nats', 'client'] as const;
/** Above this share of a core a single-threaded client may be what is measured. */
const CLIENT_CORE_MAX = 0.85;
const BAR_WIDTH = 40;

/** Medians of every contender. */
export function mediansOf(rounds: readonly Round[]): Record<string, Medians> {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [
      name,
      medians(rounds.flatMap((round) => (round[name] === undefined ? [] : [round[name]]))),
    ]),
  );
}

function medians(all: readonly Measurement[]): Medians {
  const optional = (pick: (m: Measurement) => number | undefined): number | undefined => {
    const values = all.flatMap((m) => pick(m) ?? []);
    return values.length === 0 ? undefined : median(values);
  };
  const perParty = (of: (m: Measurement, party: keyof CpuSeconds) => number): CpuSeconds =>
    Object.fromEntries(
      PARTIES.map((party) => [party, median(all.map((m) => of(m, party)))]),
    ) as unknown as CpuSeconds;
  return {
    rate: median(all.map(rateOf)),
    answeredRate: median(all.map(answeredRateOf)),
    p50Ms: optional((m) => m.p50Ms),
    p99Ms: optional((m) => m.p99Ms),
    drainSeconds: optional((m) => m.drainSeconds),
    cores: perParty((m, party) => m.cpuSeconds[party] / m.seconds),
    cpuMicros: perParty((m, party) => (m.cpuSeconds[party] * 1e6) / m.count),
  };
}

/** The scenario as text. */
export function formatScenario(result: ScenarioResult, plot: boolean): string {
  const { unit, medians: all } = result;
  const one = unit.slice(0, -1);
  const head = [
    '',
    `${unit}/s`,
    'answered/s',
    'p50 ms',
    'p99 ms',
    'drain s',
    ...PARTIES.map((party) => `${party} µs/${one}`),
    'cores used',
  ];
  const rows = Object.entries(all).map(([name, m]) => [
    name,
    integer(m.rate),
    integer(m.answeredRate),
    number(m.p50Ms),
    number(m.p99Ms),
    number(m.drainSeconds),
    ...PARTIES.map((party) => number(m.cpuMicros[party])),
    PARTIES.map((party) => `${party} ${m.cores[party].toFixed(2)}`).join(', '),
  ]);
  return [
    `\n${result.name}: ${result.title}`,
    table([head, ...rows]),
    ...clientWarnings(all),
    ...result.ratios.map(formatRatio),
    ...result.notes.map((note) => `  note: ${note}`),
    ...Object.entries(result.reported).map(([key, value]) => `  ${key}: ${value}`),
    ...(plot ? [bars(all, unit)] : []),
  ].join('\n');
}

function formatRatio(ratio: RatioResult): string {
  const { key, median: middle, min, max, target, stretch, reached } = ratio;
  const goal =
    target === undefined
      ? ''
      : `  target ${HIGHER_IS_BETTER.has(ratio.by) ? '≥' : '≤'} ${target} (stretch ${stretch ?? '–'}): ${reached ? 'reached' : 'MISSED'}`;
  return `  ${key} = ${middle.toFixed(3)}  (${min.toFixed(3)}–${max.toFixed(3)} over the rounds)${goal}`;
}

function clientWarnings(all: Readonly<Record<string, Medians>>): string[] {
  return Object.entries(all)
    .filter(([, { cores }]) => cores.client > CLIENT_CORE_MAX)
    .map(
      ([name, { cores }]) =>
        `  WARNING ${name}: the client used ${cores.client.toFixed(2)} of a core and may be what was measured`,
    );
}

function bars(all: Readonly<Record<string, Medians>>, unit: string): string {
  const max = Math.max(...Object.values(all).map(({ rate }) => rate));
  const width = Math.max(...Object.keys(all).map((name) => name.length));
  return Object.entries(all)
    .map(([name, { rate }]) => {
      const bar = '█'.repeat(Math.max(1, Math.round((rate / max) * BAR_WIDTH)));
      return `  ${name.padEnd(width)} ${bar} ${integer(rate)} ${unit}/s`;
    })
    .join('\n');
}

/** Columns as wide as they must be: the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')}`,
    )
    .join('\n');
}

function integer(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function number(value: number | undefined): string {
  if (value === undefined) return '–';
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2);
}
