/** Each kind of credential and certificate against a real nats-server, and what is refused before that. */

import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { nkeys } from '@nats-io/transport-node';

import { ConfigError, configFromEnv } from '../../src/config.ts';
import { createRelay } from '../../src/relay/open-relay.ts';
import { createStreamComparison, type StreamFinding } from '../../src/relay/compare-stream.ts';
import type { NatsAccess } from '../../src/relay/nats-access.ts';
import { connectToNats } from '../../src/relay/nats-connection.ts';
import { readUnpublished } from '../../src/relay/store/relay-state.ts';
import { silentRelayEvents } from '../clients/support/relay-events.ts';
import { type ConfiguredNats, startNatsWith } from '../support/nats-with-config.ts';
import { certificate } from '../support/postgres-server.ts';
import { chargeRequest, openTestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

type KeyPair = ReturnType<typeof nkeys.createUser>;

let directory: string;
let nats: ConfiguredNats | undefined;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'nats-access-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(async () => {
  await nats?.stop();
  nats = undefined;
});

/** Resolves to the path of a file with this text. */
function fileOf(text: string): string {
  const path = join(directory, randomBytes(6).toString('hex'));
  writeFileSync(path, text);
  return path;
}

/** Connects as the service does. */
async function connected(url: string, access: NatsAccess = {}): Promise<boolean> {
  const connection = await connectToNats({ url, access, connectTimeoutMs: 5_000 }, 'test');
  await connection.close();
  return true;
}

/** Expects NATS to refuse this. If it ends the connection while the client still writes, the client does not hear why. */
async function expectRefusal(url: string, access: NatsAccess = {}): Promise<void> {
  const { reason } = await waitFor('the reason', async () => {
    const outcome = await connected(url, access).catch(String);
    return /EPIPE|ECONNRESET/.test(String(outcome)) ? undefined : { reason: outcome };
  });
  expect(reason).toMatch(/cannot connect: .*Authorization/i);
}

const seedOf = (pair: KeyPair): string => Buffer.from(pair.getSeed()).toString();

/** A decentralized JWT, as `nsc` makes them. */
function jwtOf(claims: object, subject: KeyPair, issuer: KeyPair): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = {
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    ...claims,
  };
  const jti = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  const signed = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({ jti, ...body })}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`;
}

const credsOf = (jwt: string, user: KeyPair): string =>
  `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n` +
  `-----BEGIN USER NKEY SEED-----\n${seedOf(user)}\n------END USER NKEY SEED------\n`;

describe('NATS accepts the service by', () => {
  // By default, NATS ends a connection that takes more than 2 seconds to say who it is.
  const users = 'authorization { timeout: 30, users: [ { user: svc, password: "p ä/ss" } ] }';

  test('user and password of the URL, and of a file', async () => {
    nats = await startNatsWith(users);
    const password = fileOf('p ä/ss\n');
    const withPassword = nats.url.replace('//', `//svc:${encodeURIComponent('p ä/ss')}@`);
    expect(await connected(withPassword)).toBe(true);
    expect(await connected(nats.url, { NATS_USER: 'svc', NATS_PASSWORD_FILE: password })).toBe(true);
    await expectRefusal(nats.url);
    await expectRefusal(nats.url, { NATS_USER: 'svc', NATS_PASSWORD_FILE: fileOf('wrong') });
  });

  test('a token of the URL, and of a file', async () => {
    nats = await startNatsWith('authorization { timeout: 30, token: "s3cret" }');
    expect(await connected(nats.url.replace('//', '//s3cret@'))).toBe(true);
    expect(await connected(nats.url, { NATS_TOKEN_FILE: fileOf('s3cret\n') })).toBe(true);
    await expectRefusal(nats.url, { NATS_TOKEN_FILE: fileOf('wrong') });
  });

  test('the seed of an nkey', async () => {
    const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
    nats = await startNatsWith(`authorization { timeout: 30, users: [ { nkey: ${user.getPublicKey()} } ] }`);
    expect(await connected(nats.url, { NATS_NKEY_SEED_FILE: fileOf(`${seedOf(user)}\n`) })).toBe(true);
    await expectRefusal(nats.url, { NATS_NKEY_SEED_FILE: fileOf(seedOf(stranger)) });
  });

  test('a creds file of an account of an operator', async () => {
    const [operator, user] = [nkeys.createOperator(), nkeys.createUser()];
    const [account, system] = [nkeys.createAccount(), nkeys.createAccount()];
    const counts = { subs: -1, data: -1, payload: -1, conn: -1, leaf: -1, imports: -1, exports: -1 };
    const jetStream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
    const accountJwt = (of: KeyPair, limits: object) =>
      jwtOf(
        { name: 'A', nats: { type: 'account', version: 2, limits: { ...counts, ...limits } } },
        of,
        operator,
      );
    const userJwt = (issuer: KeyPair) =>
      jwtOf(
        { name: 'svc', nats: { type: 'user', version: 2, subs: -1, data: -1, payload: -1 } },
        user,
        issuer,
      );
    const systemKey = system.getPublicKey();
    nats = await startNatsWith(
      `operator: ${jwtOf({ name: 'O', nats: { type: 'operator', version: 2 } }, operator, operator)}
       system_account: ${systemKey}
       resolver: MEMORY
       resolver_preload: {
         ${account.getPublicKey()}: ${accountJwt(account, jetStream)}
         ${systemKey}: ${accountJwt(system, {})}
       }`,
    );
    const creds = fileOf(credsOf(userJwt(account), user));
    expect(await connected(nats.url, { NATS_CREDS_FILE: creds })).toBe(true);
    const forged = fileOf(credsOf(userJwt(nkeys.createAccount()), user));
    await expectRefusal(nats.url, { NATS_CREDS_FILE: forged });
    await expectRefusal(nats.url);
  });

  test('a certificate, over TLS to a server whose own certificate is verified', async () => {
    const [ca, cert, key] = ['authority.crt', 'server.crt', 'server.key'].map(certificate);
    const tls = (verify: boolean) =>
      `tls { cert_file: ${JSON.stringify(cert)}, key_file: ${JSON.stringify(key)}, ca_file: ${JSON.stringify(ca)}, verify: ${verify} }`;
    nats = await startNatsWith(tls(true));
    const trusted = { NATS_TLS_CA_FILE: ca ?? '' };
    const own = {
      ...trusted,
      NATS_TLS_CERT_FILE: certificate('client.crt'),
      NATS_TLS_KEY_FILE: certificate('client.key'),
    };
    const url = nats.url.replace('nats:', 'tls:');
    expect(await connected(url, own)).toBe(true);
    expect(await connected(nats.url, own)).toBe(true);
    await expect(connected(url, trusted)).rejects.toThrow(/cannot connect/);
    await nats.restart(tls(false));
    expect(await connected(url, trusted)).toBe(true);
    await expect(connected(url)).rejects.toThrow(/cannot connect: .*certificate/);
    await expect(connected(url, { NATS_TLS_CA_FILE: certificate('stranger.crt') })).rejects.toThrow(
      /cannot connect: .*certificate/,
    );
    // The certificate is for 127.0.0.1 and for no other name.
    await expect(connected(url.replace('127.0.0.1', 'localhost'), trusted)).rejects.toThrow(/localhost/);
    await nats.restart('');
    // A server that offers no TLS gets no event.
    await expect(connected(nats.url, trusted)).rejects.toThrow(/does not support 'tls'/);
  });
});

test('files are read for each connection, so a credential can be renewed while the service runs', async () => {
  const store = await openTestStore();
  const [first, second] = [nkeys.createUser(), nkeys.createUser()];
  const config = (user: KeyPair) =>
    `authorization { timeout: 30, users: [ { nkey: ${user.getPublicKey()} } ] }`;
  nats = await startNatsWith(config(first));
  const { url } = nats;
  const path = fileOf(seedOf(first));
  const natsAccess = { NATS_NKEY_SEED_FILE: path };
  const relayConfig = {
    eventFormat: 'protobuf',
    eventMaxAgeMs: 3_600_000,
    streamReplicas: 1,
    natsAccess,
  } as const;
  const reasons: string[] = [];
  const relay = createRelay(
    relayConfig,
    store.everyTenant.em,
    url,
    { ...silentRelayEvents, publishing: (state) => void (state.publishing || reasons.push(state.reason)) },
    { backoffMaxMs: 200 },
  );
  try {
    relay.start();
    const record = async (id: string) => {
      await store.writer.record('default', [chargeRequest(id)]);
      relay.notify();
    };
    const drained = async () => (await readUnpublished(store.everyTenant.em)).waiting === 0;
    await record('before');
    await waitFor('the first event', drained);
    await nats.restart(config(second));
    await record('after');
    await waitFor('the refusal', () => reasons.some((reason) => /Authorization/i.test(reason)));
    rmSync(path);
    await waitFor('the missing file', () =>
      reasons.includes(
        'NATS JetStream: cannot connect: NATS_NKEY_SEED_FILE names a file that cannot be read (ENOENT)',
      ),
    );
    writeFileSync(path, seedOf(second));
    await waitFor('the second event', drained);

    const findings: StreamFinding[] = [];
    await createStreamComparison(relayConfig, () => url)(store.everyTenant.em.fork(), {
      tenant: 'default',
      repair: false,
      repairing: () => Promise.resolve(),
      signal: new AbortController().signal,
      progress: () => undefined,
      found: (finding) => void findings.push(finding),
      compared: () => undefined,
    });
    expect(findings).toEqual([]);
    expect(reasons.join()).not.toContain(seedOf(second));
  } finally {
    await relay.stop();
    await store.close();
  }
});

describe('the start refuses', () => {
  const URL = 'nats://127.0.0.1:4222';
  const faultsOf = (env: Record<string, string>): readonly string[] => {
    try {
      configFromEnv(env);
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
    return [];
  };
  const secret = 'SECRET-that-nobody-may-see';
  const named = (variable: string, text: string) => () => ({ NATS_URL: URL, [variable]: fileOf(text) });
  const authority = certificate('authority.crt');

  test.each<[string, () => Record<string, string>, RegExp]>([
    [
      'a credential for the embedded nats-server',
      () => ({ NATS_TOKEN_FILE: fileOf('x') }),
      /^NATS_TOKEN_FILE must not be set without NATS_URL/,
    ],
    [
      'a file that is not there',
      () => ({ NATS_URL: URL, NATS_CREDS_FILE: `/nowhere/${secret}` }),
      /^NATS_CREDS_FILE names a file that cannot be read \(ENOENT\)$/,
    ],
    [
      'creds without a JWT',
      named('NATS_CREDS_FILE', secret),
      /^NATS_CREDS_FILE names a file that does not have the JWT/,
    ],
    [
      'a seed that is none',
      named('NATS_NKEY_SEED_FILE', secret),
      /^NATS_NKEY_SEED_FILE names a file that does not have the nkey seed/,
    ],
    [
      'the seed of an account',
      named('NATS_NKEY_SEED_FILE', seedOf(nkeys.createAccount())),
      /^NATS_NKEY_SEED_FILE /,
    ],
    [
      'an empty token',
      named('NATS_TOKEN_FILE', ' \n'),
      /^NATS_TOKEN_FILE names a file that does not have a token$/,
    ],
    [
      'a user without a password',
      () => ({ NATS_URL: URL, NATS_USER: secret }),
      /^NATS_USER and NATS_PASSWORD_FILE must both be set/,
    ],
    [
      'a certificate without a key',
      () => ({ NATS_URL: URL, NATS_TLS_CERT_FILE: authority }),
      /^NATS_TLS_CERT_FILE and NATS_TLS_KEY_FILE must both be set/,
    ],
    [
      'an authority that is none',
      named('NATS_TLS_CA_FILE', secret),
      /^NATS_TLS_CA_FILE names a file that does not have a certificate/,
    ],
    [
      'a key of another certificate',
      () => ({ NATS_URL: URL, NATS_TLS_CERT_FILE: authority, NATS_TLS_KEY_FILE: certificate('client.key') }),
      /^NATS_TLS_CERT_FILE and NATS_TLS_KEY_FILE must name a certificate and its own key/,
    ],
    [
      'two credentials',
      () => ({ NATS_URL: `nats://user:${secret}@h`, NATS_TOKEN_FILE: fileOf(secret) }),
      /^NATS_URL and NATS_TOKEN_FILE each have a credential: keep one of them$/,
    ],
  ])('%s', (_, env, fault) => {
    const faults = faultsOf(env());
    expect(faults).toEqual([expect.stringMatching(fault)]);
    expect(faults[0]).not.toMatch(new RegExp(`${secret}|SA[A-Z2-7]{56}`));
  });
});
