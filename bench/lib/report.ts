/** The results for people: a table per scenario, then its ratios with their targets. */

import type { CpuSeconds } from './cpu.ts';
import { median, type RatioResult, type Round } from './rounds.ts';
import { answeredRateOf, type Figure, type Measurement, rateOf, reaches, type Target } from './scenario.ts';

/** Medians of a contender over the rounds. */
export interface Medians {
  /** Calls, rows or events per second, the drain included. */
  readonly rate: number;
  /** The same without the drain. */
  readonly answeredRate: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly drainSeconds: number | undefined;
  /** Cores in use while the round ran. */
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
  readonly figures: Readonly<Record<string, Figure>>;
}

const PARTIES = ['server', 'relay', 'database', 'nats', 'client'] as const;
/** A single-threaded client that uses more of a core may be what is measured. */
const CLIENT_CORE_MAX = 0.85;

/** Medians of every contender. */
export function mediansOf(rounds: readonly Round[]): Record<string, Medians> {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [name, medians(rounds.flatMap((round) => round[name] ?? []))]),
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
export function formatScenario(result: ScenarioResult): string {
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
    'cores',
  ];
  const rows = Object.entries(all).map(([name, m]) => [
    name,
    integer(m.rate),
    integer(m.answeredRate),
    number(m.p50Ms),
    number(m.p99Ms),
    number(m.drainSeconds),
    ...PARTIES.map((party) => number(m.cpuMicros[party])),
    PARTIES.reduce((sum, party) => sum + m.cores[party], 0).toFixed(2),
  ]);
  return [
    `\n${result.name}: ${result.title}`,
    table([head, ...rows]),
    ...clientWarnings(all),
    ...result.ratios.map(
      ({ key, median: middle, min, max, target }) =>
        `  ${key} = ${middle.toFixed(3)}  (${min.toFixed(3)} to ${max.toFixed(3)})${goal(middle, target)}`,
    ),
    ...Object.entries(result.figures).map(
      ([key, { value, target }]) => `  ${key}: ${value}${goal(value, target)}`,
    ),
    ...result.notes.map((note) => `  note: ${note}`),
  ].join('\n');
}

function goal(value: number | string, target: Target | undefined): string {
  if (target === undefined || typeof value === 'string') return '';
  const reached = reaches(value, target) ? 'reached' : 'MISSED';
  return `  target ${target.bound} ${target.value} (stretch ${target.stretch}): ${reached}`;
}

function clientWarnings(all: Readonly<Record<string, Medians>>): string[] {
  return Object.entries(all)
    .filter(([, { cores }]) => cores.client > CLIENT_CORE_MAX)
    .map(
      ([name, { cores }]) =>
        `  WARNING ${name}: the client used ${cores.client.toFixed(2)} of a core and may be what was measured`,
    );
}

/** Columns as wide as they must be: the first aligned to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => `  ${row.map(pad).join('  ')}`).join('\n');
}

function integer(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function number(value: number | undefined): string {
  if (value === undefined) return '–';
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2);
}
