/** What the service's own metrics say about the write path in a round. */

import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { text } from 'node:stream/consumers';

import type { Service } from './service.ts';

/** Sums and counts of the histograms since the start of the service. */
export interface WriteTotals {
  readonly groups: number;
  readonly charges: number;
  readonly statementSeconds: number;
}

/** Reads the metrics of the service. */
export async function readWriteTotals(service: Service): Promise<WriteTotals> {
  const metrics = await readMetrics(service);
  const read = (name: string): number => {
    const values = [...metrics.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+-]+)$`, 'gm'))];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  };
  return {
    groups: read('charge_write_group_size_count'),
    charges: read('charge_write_group_size_sum'),
    statementSeconds: read('charge_write_statement_seconds_sum'),
  };
}

/** Over TLS if the service has a certificate, which is then its own authority. */
async function readMetrics({ http, certFile }: Service): Promise<string> {
  if (certFile === undefined) return (await fetch(`http://${http}/metrics`)).text();
  const ca = readFileSync(certFile);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`https://${http}/metrics`, { ca }, resolve).on('error', reject);
  });
  return text(response);
}

/** Mean size of a group, and mean milliseconds from sending it to its commit. */
export function describeWrites(before: WriteTotals, after: WriteTotals): string {
  const groups = after.groups - before.groups;
  const size = (after.charges - before.charges) / groups;
  const milliseconds = ((after.statementSeconds - before.statementSeconds) * 1000) / groups;
  return `groups of ${size.toFixed(1)} charges on average, ${milliseconds.toFixed(1)} ms each until committed`;
}
