/** The files of the certificate: what is refused at the start, and how a replacement is noticed. */

import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';

import { configFromEnv, ConfigError } from '../../src/config.ts';
import { createCertificateMetrics } from '../../src/observability/certificate-metrics.ts';
import { observeCertificate } from '../../src/supervisor/certificate-status.ts';
import { watchCertificate } from '../../src/tls/certificate-watch.ts';
import { hostOf, readCertificate, type ServerCertificate } from '../../src/tls/certificate.ts';
import { Authority, type Issued, serverCertificate, withOpenssl } from '../support/certificates.ts';
import { waitFor } from '../support/wait-for.ts';

let authority: Authority;
let good: Issued;
let other: Issued;
let count = 0;

/** The path of a file with this text. */
const file = (text: string): string => {
  const path = join(authority.directory, `file-${count++}`);
  writeFileSync(path, text);
  return path;
};

const faultsOf = (env: Record<string, string>): readonly string[] => {
  try {
    configFromEnv(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
};

withOpenssl('certificates', () => {
  beforeAll(async () => {
    authority = await Authority.create();
    [good, other] = await Promise.all([authority.issue(), authority.issue({ names: 'DNS:*.example.org' })]);
  });
  afterAll(() => authority.remove());

  describe('at the start', () => {
    const env = (variables: Record<string, string> = {}): Record<string, string> => ({
      TLS_CERT_FILE: good.certFile,
      TLS_KEY_FILE: good.keyFile,
      ...variables,
    });

    test('files that fit are taken, on every address', () => {
      const { certFile: clientCaFile } = authority;
      const { certFile, keyFile } = good;
      const everywhere = { LISTEN: '0.0.0.0:50051', METRICS_LISTEN: '[::]:9464' };
      const files = { certFile, keyFile, clientCaFile: undefined, clientCertificate: 'required' };
      expect(configFromEnv(env(everywhere)).tls).toEqual(files);
      expect(configFromEnv(env({ TLS_CLIENT_CA_FILE: clientCaFile })).tls).toEqual({
        ...files,
        clientCaFile,
      });
      const optional = { TLS_CLIENT_CA_FILE: clientCaFile, TLS_CLIENT_CERTIFICATE: 'optional' };
      expect(configFromEnv(env(optional)).tls).toMatchObject({ clientCertificate: 'optional' });
    });

    test.each<[string, () => Record<string, string> | Promise<Record<string, string>>, readonly string[]]>([
      ['a certificate without its key', () => env({ TLS_KEY_FILE: '' }), ['must both be set']],
      ['a key without its certificate', () => env({ TLS_CERT_FILE: '' }), ['must both be set']],
      [
        'authorities of clients without a certificate',
        () => ({ TLS_CLIENT_CA_FILE: authority.certFile }),
        ['must both be set'],
      ],
      [
        'a rule for clients without authorities',
        () => env({ TLS_CLIENT_CERTIFICATE: 'optional' }),
        ['TLS_CLIENT_CERTIFICATE needs TLS_CLIENT_CA_FILE'],
      ],
      [
        'files that are not there, all at once',
        () => ({ TLS_CERT_FILE: '/no/a', TLS_KEY_FILE: '/no/b', TLS_CLIENT_CA_FILE: '/no/c' }),
        [
          'TLS_CERT_FILE names a file that cannot be read: ENOENT',
          'TLS_KEY_FILE names',
          'TLS_CLIENT_CA_FILE names',
        ],
      ],
      [
        'files without PEM, all at once',
        () => env({ TLS_CERT_FILE: file('x'), TLS_KEY_FILE: file(''), TLS_CLIENT_CA_FILE: file('y') }),
        [
          'TLS_CERT_FILE holds no certificate',
          'TLS_KEY_FILE holds no private key',
          'TLS_CLIENT_CA_FILE holds no',
        ],
      ],
      [
        'the key of another certificate',
        () => env({ TLS_KEY_FILE: other.keyFile }),
        ['TLS_KEY_FILE holds a key that is not the one of the certificate'],
      ],
      [
        'an authority that is broken',
        () =>
          env({ TLS_CLIENT_CA_FILE: file('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n') }),
        ['TLS_CLIENT_CA_FILE holds a certificate that cannot be read'],
      ],
      [
        'an expired certificate',
        async () => {
          const { certFile, keyFile } = await authority.issue({ days: -1 });
          return env({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
        },
        ['TLS_CERT_FILE holds a certificate that expired at 20'],
      ],
    ])('%s: refused', async (_name, variables, words) => {
      const faults = faultsOf(await variables());
      expect(faults).toEqual(words.map((text) => expect.stringContaining(text)));
      // Nothing of a key is shown.
      expect(faults.join()).not.toContain('PRIVATE');
    });

    test('a name that clients may use is found', () => {
      expect(hostOf(serverCertificate(good))).toBe('localhost');
      expect(hostOf(serverCertificate(other))).toBe('charge.example.org');
    });
  });

  describe('a replacement', () => {
    let stop = (): void => undefined;
    let changes: ServerCertificate[];
    let faults: (readonly string[])[];
    let link: string;

    /** As Kubernetes mounts a secret: the files are behind a link to a folder, which is swapped. */
    beforeEach(() => {
      link = join(authority.directory, `link-${count++}`);
      symlinkSync(folder(good.cert, good.key), link);
      const files = {
        certFile: join(link, 'tls.crt'),
        keyFile: join(link, 'tls.key'),
        clientCaFile: undefined,
        clientCertificate: 'required',
      } as const;
      [changes, faults] = [[], []];
      const { certificate } = readCertificate(files);
      if (certificate === undefined) throw new Error('the certificate cannot be read');
      stop = watchCertificate(files, certificate, 20, {
        changed: (next) => changes.push(next),
        looked: (found) => faults.push(found),
      });
    });
    afterEach(() => stop());

    const folder = (cert: string, key: string): string => {
      const path = join(authority.directory, `folder-${count++}`);
      mkdirSync(path);
      writeFileSync(join(path, 'tls.crt'), cert);
      writeFileSync(join(path, 'tls.key'), key);
      return path;
    };
    const swap = (target: string): void => {
      symlinkSync(target, `${link}.new`);
      renameSync(`${link}.new`, link);
    };

    test('is noticed once, whichever link leads to it', async () => {
      await waitFor('two looks', () => faults.length >= 2);
      expect(changes).toEqual([]);
      swap(folder(other.cert, other.key));
      await waitFor('the change', () => changes.length > 0);
      const looks = faults.length;
      await waitFor('more looks', () => faults.length > looks + 3);
      expect(changes).toEqual([serverCertificate(other)]);
      expect(faults.flat()).toEqual([]);
    });

    test('that is broken changes nothing, until it is repaired', async () => {
      swap(folder(other.cert, good.key));
      await waitFor('a fault', () => faults.flat().length > 2);
      expect(faults.at(-1)).toEqual([expect.stringContaining('is not the one')]);
      rmSync(link);
      await waitFor('another fault', () => faults.at(-1)?.[0]?.includes('ENOENT'));
      expect(changes).toEqual([]);
      symlinkSync(folder(other.cert, other.key), link);
      await waitFor('the change', () => changes.length > 0);
      await waitFor('no fault', () => faults.at(-1)?.length === 0);
      expect(changes).toEqual([serverCertificate(other)]);
    });
  });

  describe('what is reported', () => {
    afterEach(() => {
      jest.useRealTimers();
    });

    const observe = async (days: number) => {
      const registry = new Registry();
      const lines: string[] = [];
      const log = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`);
      const certificate = serverCertificate(await authority.issue({ days }));
      jest.useFakeTimers({ now: Date.now() });
      const logger = { info: log('info'), warn: log('warn'), error: log('error') };
      const served: ServerCertificate[] = [];
      const events = observeCertificate(
        certificate,
        createCertificateMetrics(registry),
        logger as unknown as Parameters<typeof observeCertificate>[2],
        (next) => served.push(next),
      );
      const metric = async (name: string) =>
        (await registry.getSingleMetric(`charge_certificate_${name}`)?.get())?.values[0]?.value ?? NaN;
      return { events, lines, served, metric };
    };
    const DAY_MS = 86_400_000;

    test('a certificate that expires soon: at the start, and then once a day', async () => {
      const { events, lines, metric } = await observe(10);
      expect(lines).toEqual(['warn the certificate expires within 10 days: renew it']);
      expect(
        Math.abs((await metric('expire_timestamp_seconds')) * 1000 - Date.now() - 10 * DAY_MS),
      ).toBeLessThan(60_000);
      for (let hour = 0; hour < 25; hour++) {
        jest.advanceTimersByTime(DAY_MS / 24);
        events.looked([]);
      }
      expect(lines).toHaveLength(2);
      jest.advanceTimersByTime(10 * DAY_MS);
      events.looked([]);
      expect(lines.at(-1)).toBe('error the certificate has expired: clients refuse it');
    });

    test('a replacement, and once each reason why there can be none', async () => {
      const { events, lines, served, metric } = await observe(20);
      expect(lines).toEqual([]);
      for (const faults of [['a'], ['a'], ['b'], []]) {
        events.looked(faults);
        expect(await metric('last_reload_successful')).toBe(faults.length === 0 ? 1 : 0);
      }
      const unusable = 'error the files of the certificate cannot be used; the one that was read before is';
      expect(lines).toEqual([unusable, unusable]);
      const next = serverCertificate(good);
      const before = await metric('expire_timestamp_seconds');
      events.changed(next);
      expect(served).toEqual([next]);
      expect(await metric('expire_timestamp_seconds')).toBeGreaterThan(before);
      expect(lines.at(-1)).toBe('info the certificate was replaced; open connections go on');
    });
  });
});
