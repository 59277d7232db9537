import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { configFromEnv } from '../../src/config.ts';
import { addressText, parseDatabaseUrl } from '../../src/database/database-url.ts';

const file = (name: string) => fileURLToPath(new URL(`certificates/${name}`, import.meta.url));
const SERVER = 'postgresql://svc:secret@db.example:6543/book';

/** The faults of the configuration with this value. */
function faultsOf(databaseUrl: string): string {
  try {
    configFromEnv({ DATABASE_URL: databaseUrl });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('DATABASE_URL', () => {
  test.each([
    ['postgres://svc:secret@db.example/book', { hosts: [{ host: 'db.example', port: 5432 }] }],
    [SERVER, { user: 'svc', password: 'secret', database: 'book', tls: { mode: 'prefer' } }],
    [` ${SERVER}\r\n`, { database: 'book' }],
    [
      'postgresql://s%40x:p%40ss%2Fw%23rd%3F%3A%25@h/b%20k',
      { user: 's@x', password: 'p@ss/w#rd?:%', database: 'b k' },
    ],
    ['postgresql://svc:a:b+c@h/book', { password: 'a:b+c' }],
    ['postgresql://svc@[::1]:6543/book', { hosts: [{ host: '::1', port: 6543 }], password: undefined }],
    [
      'postgresql://svc@a,[::1]:6543,c:1/book',
      {
        hosts: [
          { host: 'a', port: 5432 },
          { host: '::1', port: 6543 },
          { host: 'c', port: 1 },
        ],
      },
    ],
    [
      'postgresql://svc@/book?host=a,b&port=7',
      {
        hosts: [
          { host: 'a', port: 7 },
          { host: 'b', port: 7 },
        ],
      },
    ],
    [
      'postgresql:///book?host=/srv/pg&port=6543&user=svc&password=p%40',
      { hosts: [{ host: '/srv/pg', port: 6543 }], user: 'svc', password: 'p@' },
    ],
    ['postgresql://svc@%2Fsrv%2Fpg:6543/book', { hosts: [{ host: '/srv/pg', port: 6543 }] }],
    [
      'postgresql://svc@localhost:1/book?host=/srv/pg&port=6543&dbname=other',
      { hosts: [{ host: '/srv/pg', port: 6543 }], database: 'other' },
    ],
    // As hosters print them.
    [
      'postgresql://neon:npg_x@ep-1-pooler.eu.aws.neon.tech/neondb?sslmode=require&channel_binding=require',
      { tls: { mode: 'require' }, channelBinding: 'require' },
    ],
    [
      'postgresql://postgres.ref:pw@aws-0-eu.pooler.supabase.com:6543/postgres',
      { user: 'postgres.ref', hosts: [{ host: 'aws-0-eu.pooler.supabase.com', port: 6543 }] },
    ],
    [
      'postgresql://svc:pw@/book?host=/cloudsql/project:region:instance',
      { hosts: [{ host: '/cloudsql/project:region:instance', port: 5432 }], database: 'book' },
    ],
    ['postgres://svc%40server:pw@server.postgres.database.azure.com/book', { user: 'svc@server' }],
    [`${SERVER}?sslmode=require&sslrootcert=&sslcert=&sslkey=`, { tls: { rootCert: undefined } }],
    [`${SERVER}?ssl=true`, { tls: { mode: 'require' } }],
    [`${SERVER}?sslrootcert=system`, { tls: { mode: 'verify-full', rootCert: 'system' } }],
    [
      `${SERVER}?sslmode=verify-ca&sslrootcert=${file('authority.crt')}&sslcert=${file('client.crt')}&sslkey=${file('client.key')}`,
      { tls: { mode: 'verify-ca', cert: file('client.crt') } },
    ],
    [
      `${SERVER}?sslmode=require&channel_binding=disable&gssencmode=disable&uselibpqcompat=true`,
      { tls: { mode: 'require' } },
    ],
    [
      `${SERVER}?options=-c%20search_path%3Dbilling&application_name=one,two&connect_timeout=7&target_session_attrs=read-write`,
      {
        options: '-c search_path=billing',
        applicationName: 'one,two',
        connectTimeoutMs: 7000,
        targetSessionAttrs: 'read-write',
      },
    ],
  ])('%j is understood', (databaseUrl, expected) => {
    expect(parseDatabaseUrl(databaseUrl)).toMatchObject(expected);
  });

  test.each([
    ['postgresql://svc:p@ss/secret#rd?:%@127.0.0.1:55432/book', /must be percent-encoded: write @ as %40/],
    ['postgresql://svc:sec/ret@127.0.0.1/book', /must be percent-encoded/],
    ['postgresql://svc:sec?ret=1@127.0.0.1/book', /must be percent-encoded/],
    ['postgresql://svc:sec ret@127.0.0.1/book', /must be percent-encoded/],
    ['postgresql://svc:secret%@127.0.0.1/book', /must be percent-encoded/],
    ['postgresql://svc@127.0.0.1/book?password=a&secret=1', /has a parameter, which is not supported/],
    ['postgresql://svc:secret@127.0.0.1:55432', /has no name of a database/],
    ['postgresql:///book?user=svc', /has no host: .* host=\/directory/],
    ['host=127.0.0.1 dbname=book password=secret', /is a list of key=value: write postgresql:\/\//],
    [
      'jdbc:postgresql://127.0.0.1/book?password=secret',
      /starts with jdbc:postgresql:\/\/, .* write postgresql:\/\//,
    ],
    [
      'postgresql+asyncpg://svc:secret@127.0.0.1/book',
      /starts with postgresql\+asyncpg:\/\/, .* write postgresql:\/\//,
    ],
    ['mysql://svc:secret@127.0.0.1/book', /starts with mysql:\/\//],
    ['secret', /must start with postgresql:\/\//],
    [`"${SERVER}"`, /quotes/],
    [`${SERVER}?schema=billing`, /the parameter schema, .* options=-c%20search_path%3Dname/],
    [`${SERVER}?pgbouncer=true`, /the parameter pgbouncer, which is not supported: leave it out/],
    [
      `${SERVER}?sslmode=on`,
      /one of disable, allow, prefer, require, no-verify, verify-ca, verify-full as sslmode/,
    ],
    [`${SERVER}?sslmode=verify-ca`, /add sslrootcert=/],
    [`${SERVER}?sslmode=verify-full&sslrootcert=/nowhere/ca.crt`, /sslrootcert .* no such file/],
    [`${SERVER}?sslmode=verify-full&sslrootcert=${file('client.key')}`, /sslrootcert that cannot be used/],
    [`${SERVER}?sslcert=${file('client.crt')}`, /both sslcert and sslkey/],
    [
      `${SERVER}?sslcert=${file('client.crt')}&sslkey=${file('server.key')}`,
      /sslcert and sslkey .* mismatch/,
    ],
    [`${SERVER}?target_session_attrs=standby`, /any, read-write, primary as target_session_attrs/],
    [`${SERVER}?channel_binding=on`, /one of disable, prefer, require as channel_binding/],
    [`${SERVER}?sslmode=disable&channel_binding=require`, /another sslmode than disable/],
    [`${SERVER}?ssl=no-verify`, /the parameter ssl, .* write ssl=true, or sslmode with one of disable, /],
    [`${SERVER}?connect_timeout=0`, /seconds from 1 to 300/],
    ['postgresql://svc:secret@a:1,b:2,c/book?port=1,2', /one port for each host/],
    ['postgresql://svc:secret@127.0.0.1:65536/book', /1 to 65535 as port/],
    [`${SERVER}?sslmode=on&port=x`, /port.*\n.*sslmode/],
  ])('%j is refused', (databaseUrl, expected) => {
    const faults = faultsOf(databaseUrl);
    expect(faults).toMatch(/^The configuration is wrong:(\n {2}- DATABASE_URL .*)+$/);
    expect(faults).toMatch(new RegExp(expected.source, 'i'));
    expect(faults).not.toContain('secret');
  });

  test('takes every password that is encoded, and shows no part of one that is not', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, unit: 'grapheme' }), (password) => {
        fc.pre(password.isWellFormed() && !password.includes('\0'));
        const of = (text: string) => `postgresql://svc:${text}@127.0.0.1:5432/book`;
        const address = parseDatabaseUrl(of(encodeURIComponent(password)));
        expect(address).toMatchObject({ password, hosts: [{ host: '127.0.0.1', port: 5432 }] });
        expect(addressText(address)).toBe('127.0.0.1:5432/book');
        try {
          parseDatabaseUrl(of(`Zq7${password}Zq7`));
        } catch (error) {
          expect((error as Error).message).not.toMatch(/Zq7/);
        }
      }),
    );
  });
});
