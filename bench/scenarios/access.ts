/** What it costs to protect the service: TLS, an API key and row-level security on, and all of them off. */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { formatApiKey, hashOfSecret, newApiKey } from '../../src/tenants/api-key.ts';
import { openDatabase } from '../lib/contender.ts';
import { runSql, withClient } from '../lib/environment.ts';
import type { Access } from '../lib/load/jobs.ts';
import { atLeast, type Contender, type Context, type Ratio, rates, type Scenario } from '../lib/scenario.ts';
import { openService, serviceContender, type Shape } from '../lib/service-contender.ts';

/** CreateCharge. */
export const access256 = accessScenario(
  'access_256',
  'CreateCharge, 256 calls in flight: with TLS, an API key and row-level security, and without',
  { kind: 'unary', body: { kind: 'create' }, inFlight: 256 },
  { key: 'access.create_on_vs_off', target: atLeast(0.85, 0.95) },
);

/** Batches of 500. */
export const access500 = accessScenario(
  'access_500',
  'BatchCreateCharges of 500, 4 in flight: with TLS, an API key and row-level security, and without',
  { kind: 'unary', body: { kind: 'batch', size: 500 }, inFlight: 4 },
  { key: 'access.batch_on_vs_off', target: atLeast(0.93, 0.98) },
);

function accessScenario(
  name: string,
  title: string,
  shape: Shape,
  ratio: Pick<Ratio, 'key' | 'target'>,
): Scenario {
  return {
    name,
    title,
    open: async (context) => ({
      unit: 'rows',
      contenders: [await openProtected(context, name, shape), await openUnprotected(context, name, shape)],
      ratios: [{ ...ratio, of: 'on', to: 'off', value: rates }],
    }),
  };
}

async function openProtected(context: Context, scenario: string, shape: Shape): Promise<Contender> {
  const databaseUrl = await openDatabase(context, `${scenario}_on`);
  const { certFile, keyFile } = makeCertificate(context.environment.directory);
  const access: Access = { caFile: certFile, authorization: `Bearer ${await addApiKey(databaseUrl)}` };
  const env = { AUTHENTICATION: 'required', TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile };
  const service = await openService(context, `${scenario}_on`, { databaseUrl, env });
  return serviceContender(context, 'on', service, { ...shape, access } as Shape);
}

async function openUnprotected(context: Context, scenario: string, shape: Shape): Promise<Contender> {
  const databaseUrl = await openDatabase(context, `${scenario}_off`);
  await runSql(databaseUrl, DISABLE_ROW_SECURITY);
  const service = await openService(context, `${scenario}_off`, { databaseUrl });
  return serviceContender(context, 'off', service, shape);
}

const DISABLE_ROW_SECURITY = `
DO $$ DECLARE found regclass; BEGIN
  FOR found IN SELECT oid FROM pg_class WHERE relrowsecurity LOOP
    EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', found);
  END LOOP;
END $$`;

async function addApiKey(databaseUrl: string): Promise<string> {
  const key = newApiKey();
  await withClient(databaseUrl, (client) =>
    client.query(
      `INSERT INTO api_key (id, tenant, secret_hash, scopes, create_time)
       VALUES ($1, 'default', $2, '{RECORD}', clock_timestamp())`,
      [key.id, hashOfSecret(key.secret)],
    ),
  );
  return formatApiKey(key);
}

/** A certificate for this machine that is its own authority. */
function makeCertificate(directory: string): { readonly certFile: string; readonly keyFile: string } {
  const certFile = join(directory, 'server.crt');
  const keyFile = join(directory, 'server.key');
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...key, '-keyout', keyFile, '-out', certFile, '-days', '30', ...subject],
    { stdio: 'ignore' },
  );
  return { certFile, keyFile };
}
