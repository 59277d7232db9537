/** The environment as people have it: what is taken, and what is refused in words. */

import { describe, expect, test } from '@jest/globals';

import { ConfigError, configFromEnv } from '../src/config.ts';

const faultsOf = (env: Record<string, string>): readonly string[] => {
  try {
    configFromEnv(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
};

describe('is taken', () => {
  test.each([
    ['LISTEN', '[::1]:0', { listen: { host: '::1', port: 0 } }],
    ['LISTEN', 'localhost:0', { listen: { host: 'localhost', port: 0 } }],
    ['LISTEN', ' 127.0.0.1:0 ', { listen: { host: '127.0.0.1', port: 0 } }],
    ['LISTEN', '127.0.0.1:0\r', { listen: { host: '127.0.0.1', port: 0 } }],
    ['METRICS_LISTEN', '[::1]:9464\r\n', { metricsListen: { host: '::1', port: 9464 } }],
    ['LISTEN', '  ', { listen: { host: '127.0.0.1', port: 50051 } }],
    ['LOG_LEVEL', 'INFO', { logLevel: 'info' }],
    ['LOG_LEVEL', 'debug\r', { logLevel: 'debug' }],
    ['EVENT_FORMAT', 'JSON', { eventFormat: 'json' }],
    ['PROCESSES', ' 2\r', { processes: 2 }],
    ['DATA_DIR', '/srv/charge data\r', { dataDir: '/srv/charge data' }],
    ['NATS_URL', ' nats://a:4222,nats://b:4222\r', { natsUrl: 'nats://a:4222,nats://b:4222' }],
    ['EMBEDDED_POSTGRES_PORT', '5433', { embeddedPostgresPort: 5433, embeddedNatsPort: 0 }],
  ])('%s=%j', (name, value, expected) => {
    expect(configFromEnv({ [name]: value })).toMatchObject(expected);
  });
});

describe('without TLS', () => {
  const advice = 'other machines can connect, and without TLS everything is sent in plain text';

  test.each(['127.0.0.1:0', '127.8.9.10:0', '[::1]:0', 'localhost:0'])('%s is taken', (address) => {
    expect(configFromEnv({ LISTEN: address, METRICS_LISTEN: address })).toMatchObject({ tls: undefined });
  });

  test.each<[string, string]>([
    ['0.0.0.0:0', '0.0.0.0'],
    ['[::]:0', '::'],
    ['[::ffff:10.0.0.1]:0', '::ffff:10.0.0.1'],
    ['10.0.0.1:0', '10.0.0.1'],
    ['my_host-1.example:0', 'my_host-1.example'],
    ['localhost.example:0', 'localhost.example'],
  ])('%s needs ALLOW_INSECURE=true', (address, host) => {
    expect(faultsOf({ LISTEN: address })).toEqual([expect.stringContaining(`LISTEN: ${advice}`)]);
    expect(faultsOf({ METRICS_LISTEN: address })).toEqual([
      expect.stringMatching(`^METRICS_LISTEN: ${advice}`),
    ]);
    expect(faultsOf({ LISTEN: address, METRICS_LISTEN: address, ALLOW_INSECURE: 'false' })).toEqual([
      expect.stringMatching(
        `^LISTEN and METRICS_LISTEN: ${advice}.*TLS_CERT_FILE and TLS_KEY_FILE, or ALLOW_INSECURE=true`,
      ),
    ]);
    expect(configFromEnv({ LISTEN: address, ALLOW_INSECURE: 'true' }).listen).toEqual({ host, port: 0 });
  });
});

describe('is refused by its name', () => {
  const address = 'must be host:port without "tcp://"';
  const quotes = 'begins and ends with quotes, which are part of the value: remove them';
  test.each([
    ['LISTEN', ':0', address],
    ['LISTEN', '50051', address],
    ['LISTEN', 'tcp://0.0.0.0:50051', address],
    ['LISTEN', '*:0', '0.0.0.0:50051 for every interface'],
    ['LISTEN', '127.0.0.1:65536', address],
    ['METRICS_LISTEN', '::1:0', address],
    ['LISTEN', '"127.0.0.1:0"', quotes],
    ['LOG_LEVEL', "'info'", quotes],
    ['DATA_DIR', '".data"\r', quotes],
    ['DATABASE_URL', '"postgresql://u:secret@h/d"', quotes],
    ['MIGRATION_DATABASE_URL', 'postgresql://u:secret@h/d', 'must not be set without DATABASE_URL'],
    ['NATS_URL', "'nats://u:secret@h'", quotes],
    ['NATS_URL', 'nats://u:secret@', 'must be a URL that starts with nats:// or tls://'],
    ['NATS_URL', 'nats://a,http://u:secret@b', 'must be a URL that starts with nats:// or tls://'],
    ['NATS_URL', 'nats://a,', 'must be a URL that starts with nats:// or tls://'],
    ['PROCESSES', '"2"', quotes],
    ['PROCESSES', 'auto', 'must be a whole number from 1 to 64; it is "auto"'],
    [
      'LOG_LEVEL',
      'verbose',
      'must be one of trace, debug, info, warn, error, fatal, silent; it is "verbose"',
    ],
    ['ALLOW_INSECURE', 'yes', 'must be one of true, false'],
    ['EMBEDDED_NATS_PORT', 'tcp://10.0.0.1:4222', 'must be a whole number from 0 to 65535'],
  ])('%s=%j', (name, value, words) => {
    const faults = faultsOf({ [name]: value });
    expect(faults).toEqual([expect.stringContaining(words)]);
    expect(faults[0]?.startsWith(`${name} `)).toBe(true);
    expect(faults[0]).not.toContain('secret');
  });

  test('and all faults at once', () => {
    expect(faultsOf({ LISTEN: ':0', PROCESSES: '0', EVENT_FORMAT: 'xml' })).toHaveLength(3);
  });
});

describe('credentials', () => {
  const credentialsOf = (env: Record<string, string>) => configFromEnv(env).credentials;
  const JWT = {
    JWT_ISSUER: 'https://id.example',
    JWT_AUDIENCE: 'charge',
    JWT_JWKS_URL: 'https://id.example/keys',
  };
  const PUBLIC = { LISTEN: '0.0.0.0:0', ALLOW_INSECURE: 'true' };

  test('are not needed on loopback by default, and needed elsewhere', () => {
    expect(credentialsOf({})).toEqual({ required: false, jwt: undefined, clientIdentitiesFile: undefined });
    expect(credentialsOf({ AUTHENTICATION: 'required' }).required).toBe(true);
    expect(credentialsOf(PUBLIC).required).toBe(true);
    expect(credentialsOf({ ...PUBLIC, AUTHENTICATION: 'none' }).required).toBe(false);
  });

  test('may be switched off elsewhere only with ALLOW_INSECURE', () => {
    const faults = faultsOf({ LISTEN: '0.0.0.0:0', AUTHENTICATION: 'none' });
    expect(faults).toContainEqual(expect.stringMatching(/^AUTHENTICATION is none.*ALLOW_INSECURE=true/));
  });

  test('tokens have an issuer, an audience and keys', () => {
    expect(credentialsOf(JWT).jwt).toEqual({
      issuer: 'https://id.example',
      audience: 'charge',
      keys: { url: 'https://id.example/keys' },
      algorithms: ['RS256', 'ES256', 'EdDSA'],
      tenantClaim: 'tenant',
      scopesClaim: 'scope',
      userProfileClaim: 'user_profile',
    });
    expect(faultsOf({ JWT_TENANT_CLAIM: 'org' })).toEqual([
      'JWT_ISSUER must be set, because JWT_TENANT_CLAIM is',
      'JWT_AUDIENCE must be set, because JWT_TENANT_CLAIM is',
      'one of JWT_JWKS_URL and JWT_JWKS_FILE must be set for tokens, and not both',
    ]);
    expect(faultsOf({ ...JWT, JWT_JWKS_FILE: 'keys.json' })).toHaveLength(1);
  });

  test.each(['http://id.example/keys', 'https://user:secret@id.example/keys', 'file:///etc/passwd', 'keys'])(
    'JWT_JWKS_URL=%s is refused',
    (url) => {
      const [fault, ...others] = faultsOf({ ...JWT, JWT_JWKS_URL: url });
      expect(fault).toMatch(/^JWT_JWKS_URL must/);
      expect(fault).not.toContain('secret');
      expect(others).toEqual([]);
    },
  );

  test.each(['HS256', 'none', 'RS256,HS512', 'rs256', ','])('JWT_ALGORITHMS=%s is refused', (text) => {
    expect(faultsOf({ ...JWT, JWT_ALGORITHMS: text })).toEqual([
      expect.stringMatching(/^JWT_ALGORITHMS must be/),
    ]);
  });

  test('certificates are mapped only if they are verified', () => {
    expect(faultsOf({ TLS_CLIENT_IDENTITIES_FILE: 'identities.json' })).toEqual([
      expect.stringContaining('needs TLS_CLIENT_CA_FILE'),
    ]);
  });
});
