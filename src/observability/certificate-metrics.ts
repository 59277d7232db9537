/** Metrics of the certificate of the service. Only the supervisor has them. */

import { Gauge, type Registry } from 'prom-client';

export type CertificateMetrics = ReturnType<typeof createCertificateMetrics>;

/** Registers everything; a process has one certificate. Without TLS they have no values. */
export function createCertificateMetrics(registry: Registry) {
  const registers = [registry];
  const metrics = {
    expiry: new Gauge({
      name: 'charge_certificate_expire_timestamp_seconds',
      help: 'When the certificate that is served expires, in seconds since 1970.',
      registers,
    }),
    reloadSuccessful: new Gauge({
      name: 'charge_certificate_last_reload_successful',
      help: '0 while the files of the certificate cannot be used, so that an earlier one is served; otherwise 1.',
      registers,
    }),
  };
  for (const gauge of Object.values(metrics)) gauge.remove();
  return metrics;
}
