/** Metrics of the supervisor besides those of its relay. Only it has them, so nothing is added up. */

import { readFileSync } from 'node:fs';

import type { Pool } from 'pg';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

import { watchPools } from './pool-metrics.ts';

/** What is read whenever somebody scrapes. */
export interface SupervisorSources {
  /** Whether `/readyz` answers 200. */
  readonly ready: () => boolean;
  /** When the oldest unpublished event was created, in milliseconds since 1970; undefined: every event is published. */
  readonly oldestEventMs: () => Promise<number | undefined>;
  readonly pool: Pool;
}

/** Registers everything; a process has one supervisor. */
export function createSupervisorMetrics(registry: Registry, sources: SupervisorSources): void {
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'supervisor_' });
  watchPools(registry, 'supervisor_', { supervisor: sources.pool });
  new Gauge({
    name: 'charge_ready',
    help: '1 while charges can be recorded and /readyz answers 200.',
    registers,
    collect() {
      this.set(sources.ready() ? 1 : 0);
    },
  });
  const { version, commit } = readBuild();
  const build = { version, node_version: process.version, ...(commit !== undefined && { commit }) };
  new Gauge({
    name: 'charge_build_info',
    help: 'Always 1; what runs. The commit is absent if the build did not set CHARGE_COMMIT.',
    labelNames: ['version', 'commit', 'node_version'],
    registers,
  }).set(build, 1);
  const readAge = ageReader(sources.oldestEventMs);
  new Gauge({
    name: 'charge_relay_oldest_event_age_seconds',
    help: 'Age of the oldest event that is not published; 0: every event is. Absent while PostgreSQL does not answer.',
    registers,
    async collect() {
      const age = await readAge();
      if (age === undefined) this.remove();
      else this.set(age);
    },
  });
}

/** A scrape must not wait for a PostgreSQL that does not answer. */
const ANSWER_TIMEOUT_MS = 1_000;

/** The age in seconds, undefined if it is not known in time. However many ask, one statement runs. */
function ageReader(oldestEventMs: SupervisorSources['oldestEventMs']): () => Promise<number | undefined> {
  let reading: Promise<number | undefined> | undefined;
  const read = async (): Promise<number | undefined> => {
    try {
      const oldestMs = await oldestEventMs();
      return oldestMs === undefined ? 0 : Math.max(0, Date.now() - oldestMs) / 1000;
    } catch {
      return undefined;
    } finally {
      reading = undefined;
    }
  };
  return async () => {
    reading ??= read();
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), ANSWER_TIMEOUT_MS);
    });
    const age = await Promise.race([reading, silence]);
    clearTimeout(timer);
    return age;
  };
}

function readBuild(): { readonly version: string; readonly commit: string | undefined } {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(file) as { version: string };
  return { version, commit: process.env['CHARGE_COMMIT'] || undefined };
}
