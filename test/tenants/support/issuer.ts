/** An issuer of tokens, with its keys behind a URL that can go away. */

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { exportJWK, generateKeyPair, SignJWT } from 'jose';

import type { JwtSettings } from '../../../src/tenants/credentials/settings.ts';

const ISSUER = 'https://issuer.example';
const AUDIENCE = 'charge-service';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

/** Header and claims that are not the default. */
export interface TokenOptions {
  readonly claims?: Readonly<Record<string, unknown>>;
  /** From now, in seconds. */
  readonly expiresInS?: number;
  readonly kid?: string;
  /** Signs instead of the issuer's own key. */
  readonly key?: Parameters<SignJWT['sign']>[0];
  readonly alg?: string;
}

export class TestIssuer {
  readonly #keys: KeyPair;
  readonly #kid: string;
  readonly #port: number;
  #server: Server | undefined;
  /** How often its keys were fetched. */
  fetches = 0;

  private constructor(keys: KeyPair, kid: string, port: number) {
    this.#keys = keys;
    this.#kid = kid;
    this.#port = port;
  }

  /** Its keys can be fetched from the start on. */
  static async start(): Promise<TestIssuer> {
    const keys = await generateKeyPair('ES256', { extractable: true });
    const probe = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const issuer = new TestIssuer(keys, 'key-1', port);
    await issuer.up();
    return issuer;
  }

  get settings(): JwtSettings {
    return {
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: { url: `http://127.0.0.1:${this.#port}/keys` },
      algorithms: ['RS256', 'ES256', 'EdDSA'],
      tenantClaim: 'tenant',
      scopesClaim: 'scope',
      userProfileClaim: 'user_profile',
    };
  }

  get publicKey(): KeyPair['publicKey'] {
    return this.#keys.publicKey;
  }

  async jwks(): Promise<string> {
    const jwk = await exportJWK(this.#keys.publicKey);
    return JSON.stringify({ keys: [{ ...jwk, kid: this.#kid, alg: 'ES256', use: 'sig' }] });
  }

  /** `answer`: instead of the keys. */
  async up(answer?: (response: ServerResponse) => void): Promise<void> {
    const body = await this.jwks();
    this.#server = createServer((_, response) => {
      this.fetches++;
      response.setHeader('content-type', 'application/json');
      if (answer === undefined) response.end(body);
      else answer(response);
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await new Promise((resolve) => this.#server?.once('listening', resolve));
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** A token of the tenant `acme` for recording and reading, valid for five minutes. */
  token({
    claims,
    expiresInS = 300,
    kid = this.#kid,
    key,
    alg = 'ES256',
  }: TokenOptions = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const all = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'service-1',
      tenant: 'acme',
      scope: 'openid charge:record read',
      exp: now + expiresInS,
      // No two are alike.
      jti: crypto.randomUUID(),
      ...claims,
    };
    return new SignJWT(all).setProtectedHeader({ alg, kid }).sign(key ?? this.#keys.privateKey);
  }
}
