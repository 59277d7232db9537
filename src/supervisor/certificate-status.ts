/** What the supervisor reports of the certificate of the service. */

import type { CertificateMetrics } from '../observability/certificate-metrics.ts';
import type { Logger } from '../observability/logger.ts';
import type { CertificateEvents } from '../tls/certificate-watch.ts';
import { expiryOf, type ServerCertificate } from '../tls/certificate.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Of a certificate for 90 days, which is renewed after 60, this is half of what is left. */
const WARNED_BEFORE_MS = 14 * DAY_MS;

/**
 * Shows the certificate that is served as metrics. Logs that it was replaced, once why it cannot be, and once a day
 * that it expires soon. `changed` is told each new one.
 */
export function observeCertificate(
  first: ServerCertificate,
  metrics: CertificateMetrics,
  logger: Pick<Logger, 'info' | 'warn' | 'error'>,
  changed: (certificate: ServerCertificate) => void,
): CertificateEvents {
  let expiresAtMs = 0;
  let warnedAtMs = -Infinity;
  let reason = '';
  const serve = (certificate: ServerCertificate): void => {
    expiresAtMs = expiryOf(certificate);
    metrics.expiry.set(expiresAtMs / 1000);
    warnedAtMs = -Infinity;
  };
  const warn = (): void => {
    const nowMs = Date.now();
    if (expiresAtMs - nowMs >= WARNED_BEFORE_MS || nowMs - warnedAtMs < DAY_MS) return;
    warnedAtMs = nowMs;
    const expires = new Date(expiresAtMs).toISOString();
    const days = Math.floor((expiresAtMs - nowMs) / DAY_MS);
    if (days < 0) logger.error({ expires }, 'the certificate has expired: clients refuse it');
    else logger.warn({ expires }, `the certificate expires within ${days + 1} days: renew it`);
  };
  const looked = (faults: readonly string[]): void => {
    metrics.reloadSuccessful.set(faults.length === 0 ? 1 : 0);
    const text = faults.join('; ');
    if (text !== '' && text !== reason)
      logger.error(
        { faults },
        'the files of the certificate cannot be used; the one that was read before is',
      );
    reason = text;
    warn();
  };
  serve(first);
  looked([]);
  return {
    changed: (certificate) => {
      changed(certificate);
      serve(certificate);
      const expires = new Date(expiresAtMs).toISOString();
      logger.info({ expires }, 'the certificate was replaced; open connections go on');
    },
    looked,
  };
}
