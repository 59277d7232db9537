/** docker-compose.yml, .env.example and the README know every variable of the service, as it really is. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

import { configFromEnv } from '../src/config.ts';
import { NATS_ACCESS_VARIABLES } from '../src/relay/nats-access.ts';
import { connectionsOfServer } from '../src/server/pool-sizes.ts';
import { ROOT } from './support/tools.ts';

interface ComposeService {
  readonly environment: Record<string, string>;
  readonly ports: string[];
  readonly command: string[];
  readonly stop_grace_period: string;
  readonly pids_limit: number;
}

const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

/** Every variable that the service reads. */
const variables: string[] = [];
configFromEnv(new Proxy({}, { get: (_, name) => void (typeof name === 'string' && variables.push(name)) }));

/** Of the embedded servers, which the image does not have. */
const EMBEDDED_ONLY = ['DATA_DIR', 'EMBEDDED_POSTGRES_PORT', 'EMBEDDED_NATS_PORT'];
/** Decided by docker-compose.yml itself. */
const FIXED = ['LISTEN', 'METRICS_LISTEN', 'ALLOW_INSECURE', 'DATABASE_URL', 'NATS_URL'];
/** docker-compose.yml has a PostgreSQL of its own, with one login. */
const OTHER_DATABASE = ['MIGRATION_DATABASE_URL'];
/** docker-compose.yml has a NATS of its own, which asks for no credentials. */
const OTHER_NATS = NATS_ACCESS_VARIABLES as readonly string[];
const notPassed = [...EMBEDDED_ONLY, ...FIXED, ...OTHER_DATABASE, ...OTHER_NATS];
const passed = variables.filter((name) => !notPassed.includes(name));

/** The services as Compose sees them with these variables. */
function compose(env: Record<string, string>): Record<'charge' | 'postgres' | 'nats', ComposeService> {
  const text = read('docker-compose.yml').replace(
    /\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}/g,
    (_, name, fallback) => String(env[String(name)] ?? fallback ?? ''),
  );
  return (parse(text, { merge: true }) as { services: ReturnType<typeof compose> }).services;
}

const secret = { POSTGRES_PASSWORD: 'x' };

describe('docker-compose.yml', () => {
  test('passes every variable of the service on, and changes nothing when they are unset', () => {
    const { environment } = compose(secret).charge;
    expect(Object.keys(environment).sort()).toEqual([...FIXED, ...passed].sort());
    const fixed = Object.fromEntries(FIXED.map((name) => [name, environment[name]]));
    expect(configFromEnv(environment)).toEqual(configFromEnv(fixed));
    const set = compose({ ...secret, ...Object.fromEntries(passed.map((name) => [name, `my ${name}`])) });
    for (const name of passed) expect(set.charge.environment[name]).toBe(`my ${name}`);
  });

  test('lets replicas have a range of ports, and stops later than the drain', () => {
    const range = { ...secret, GRPC_PORT: '50051-50053', METRICS_PORT: '9464-9466' };
    expect(compose(secret).charge.ports).toEqual(['127.0.0.1:50051:50051', '127.0.0.1:9464:9464']);
    expect(compose(range).charge.ports).toEqual(['127.0.0.1:50051-50053:50051', '127.0.0.1:9464-9466:9464']);
    const graceMs = Number.parseInt(compose(secret).charge.stop_grace_period, 10) * 1000;
    expect(graceMs).toBeGreaterThanOrEqual(configFromEnv({}).drainTimeoutMs + 15_000);
  });

  test('has connections and processes for eight replicas', () => {
    const { postgres } = compose(secret);
    const { writers } = configFromEnv({});
    const connectionsMax = Number(/max_connections=(\d+)/.exec(postgres.command.join(' '))?.[1]);
    expect(connectionsMax).toBeGreaterThanOrEqual(8 * (6 + 2 * connectionsOfServer(writers) + 2));
    expect(postgres.pids_limit).toBeGreaterThan(connectionsMax + 50);
  });
});

test('.env.example lists what docker-compose.yml takes, with the defaults', () => {
  const listed = [...read('.env.example').matchAll(/^#?([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [
    name,
    value,
  ]);
  const taken = new Set([...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map(([, name]) => name));
  expect(listed.map(([name]) => name).sort()).toEqual([...taken].sort());
  // PROCESSES depends on the machine.
  const defaults: Record<string, string> = Object.fromEntries(
    listed.filter(([name]) => passed.includes(name ?? '')),
  );
  expect({ ...configFromEnv(defaults), processes: 0 }).toEqual({ ...configFromEnv({}), processes: 0 });
});

test('the README lists every variable', () => {
  const section = read('README.md').split('\n## Configuration\n')[1]?.split('\n## ')[0] ?? '';
  const listed = [...section.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, name]) => name);
  expect(listed.sort()).toEqual(variables.toSorted());
});
