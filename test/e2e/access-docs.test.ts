/** docs/tenants.md, authentication.md, user-profiles.md, erasure.md and tls.md: every command prints what the page says. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { Authority, withOpenssl } from '../support/certificates.ts';
import { findGrpcurl, skipNote } from '../support/tools.ts';
import { readConsoleBlocks } from './support/console-blocks.ts';
import { Checkout, readPage } from './support/docs-page.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const grpcurl = await findGrpcurl();
const testWithGrpcurl = grpcurl.path === undefined ? test.skip : test;
const skipped = skipNote('the commands of the pages about access', grpcurl);
const TIMEOUT_MS = 120_000;

/** A command that records a charge of the operator's tenant. */
function record(requestId: string, userProfile: string, usageTime: string, more = ''): string {
  const charge = `{"user_profile":"${userProfile}","provider":"PROVIDER_OPENAI","charge_type":"CHARGE_TYPE_COMPLETION","model":"gpt-4o","prompt_tokens":374,"completion_tokens":44,"usage_time":"${usageTime}"${more}}`;
  return `grpcurl -plaintext -d '{"request_id":"${requestId}","charge":${charge}}' 127.0.0.1:50051 charge.v1.ChargeService/CreateCharge`;
}

describe(`on a loopback address${skipped}`, () => {
  let service: MoneyService;
  let checkout: Checkout;
  beforeAll(async () => {
    service = await startMoneyService();
    checkout = new Checkout(service, grpcurl.path);
  });
  afterAll(() => service.close());

  testWithGrpcurl(
    'docs/tenants.md',
    () =>
      checkout.expectPage(readPage('tenants.md'), 13, {
        instead: { 'postgresql://charge:…@db.internal/charge': service.databaseUrl },
      }),
    TIMEOUT_MS,
  );

  testWithGrpcurl(
    'docs/authentication.md',
    () =>
      checkout.expectPage(readPage('authentication.md'), 1, {
        before: [
          record('authentication-1', 'alice', '2026-07-05T12:00:00Z'),
          'export CHARGE_KEY=$(npx charge key create --scope read)',
        ],
      }),
    TIMEOUT_MS,
  );

  testWithGrpcurl(
    'docs/user-profiles.md',
    () =>
      checkout.expectPage(readPage('user-profiles.md'), 7, {
        before: [
          record('profiles-1', 'ann', '2026-09-05T12:00:00Z'),
          record('profiles-2', 'ann', '2026-10-05T12:00:00Z'),
          record('profiles-3', 'bob', '2026-10-05T12:00:00Z'),
        ],
      }),
    TIMEOUT_MS,
  );

  testWithGrpcurl(
    'docs/erasure.md',
    () =>
      checkout.expectPage(readPage('erasure.md'), 3, {
        before: [
          record('erasure-1', 'carol', '2026-08-05T12:00:00Z', ',"session_key":"chat-7"'),
          record('erasure-2', 'carol', '2026-08-06T12:00:00Z'),
        ],
      }),
    TIMEOUT_MS,
  );
});

withOpenssl(`with TLS${skipped}`, () => {
  const [start, ...others] = readConsoleBlocks(readPage('tls.md'));
  let authority: Authority;
  let service: MoneyService;
  beforeAll(async () => {
    authority = await Authority.create();
    const { certFile, keyFile } = await authority.issue();
    const variables = [...(start?.command ?? '').matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [
      name,
      value,
    ]);
    service = await startMoneyService({
      ...(Object.fromEntries(variables) as Record<string, string>),
      TLS_CERT_FILE: certFile,
      TLS_KEY_FILE: keyFile,
      // Not the address of the page, for which credentials are needed by default.
      ...{ LISTEN: '127.0.0.1:0', AUTHENTICATION: 'required' },
    });
  });
  afterAll(async () => {
    await service.close();
    authority.remove();
  });

  testWithGrpcurl(
    'docs/tls.md',
    async () => {
      expect(start?.command).toMatch(/^(TLS_CERT_FILE|TLS_KEY_FILE|LISTEN)=.* npm start$/);
      const { port } = new URL(`https://${service.address}`);
      const bootstrap = `npx charge key bootstrap --database-url ${service.databaseUrl} --file operator.key`;
      await new Checkout(service, grpcurl.path).expectCommands(others, {
        before: [bootstrap],
        instead: { 'charge.example.org:50051': `localhost:${port}`, 'ca.crt': authority.certFile },
      });
      expect(others.length).toBeGreaterThanOrEqual(2);
    },
    TIMEOUT_MS,
  );
});
