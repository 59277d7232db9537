/** The HTTP side: metrics for Prometheus, health for orchestrators. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import type { Address } from '../config.ts';
import { secureContextOptions, type ServerCertificate } from '../tls/certificate.ts';

/** What the endpoints report. */
export interface HttpSources {
  /** The exposition in Prometheus' text format, and its content type. */
  metrics(): Promise<{ readonly body: string; readonly contentType: string }>;
  readiness(): Readiness;
}

/** Whether charges are accepted, and the state of each part. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string | number>>;
}

/** An open HTTP server. */
export interface HttpServer {
  readonly address: Address;
  /** Shows this certificate to new connections. Only if the server was opened with one. */
  setCertificate(certificate: ServerCertificate): void;
  close(): Promise<void>;
}

const LIMITS = { requestTimeout: 5_000, headersTimeout: 5_000 };
const HANDSHAKE_MAX_MS = 5_000;

/**
 * Serves `/metrics`, `/livez` (200 while the process runs its event loop) and `/readyz` (200 or
 * 503, with the state of each part as JSON). With a certificate over TLS; clients need none, because those who probe
 * health have none. Rejects when the address is taken.
 */
export async function openHttpServer(
  address: Address,
  sources: HttpSources,
  certificate?: ServerCertificate,
): Promise<HttpServer> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return reply(response, 405, 'use GET\n');
    if (path === '/livez') return reply(response, 200, 'alive\n');
    if (path === '/readyz') return replyReadiness(response, sources.readiness());
    if (path === '/metrics') return void replyMetrics(response, sources);
    reply(response, 404, 'try /metrics, /livez or /readyz\n');
  };
  const server =
    certificate === undefined
      ? createServer(LIMITS, answer)
      : createTlsServer(
          { ...LIMITS, ...tlsOptions(certificate), handshakeTimeout: HANDSHAKE_MAX_MS },
          answer,
        );
  server.maxConnections = 100;
  await listen(server, address);
  return {
    address: { host: address.host, port: (server.address() as AddressInfo).port },
    setCertificate: (next) => (server as TlsServer).setSecureContext(tlsOptions(next)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function tlsOptions(certificate: ServerCertificate) {
  return secureContextOptions({ ...certificate, clientCa: undefined });
}

function listen(server: Server | TlsServer, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      // A connection that cannot be accepted because file descriptors ran out: its client tries again.
      server.on('error', () => undefined);
      resolve();
    });
  });
}

function replyReadiness(response: ServerResponse, { ready, checks }: Readiness): void {
  const body = JSON.stringify({ status: ready ? 'ready' : 'unavailable', checks });
  reply(response, ready ? 200 : 503, `${body}\n`, 'application/json');
}

async function replyMetrics(response: ServerResponse, sources: HttpSources): Promise<void> {
  try {
    const { body, contentType } = await sources.metrics();
    reply(response, 200, body, contentType);
  } catch {
    reply(response, 503, 'the metrics cannot be read\n');
  }
}

function reply(response: ServerResponse, status: number, body: string, contentType = 'text/plain'): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body);
}
