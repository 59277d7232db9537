/** The metrics of gRPC calls, with the names and labels of go-grpc-prometheus, which dashboards are made for. */

import { status as Code } from '@grpc/grpc-js';
import { Counter, type Histogram } from 'prom-client';

import type { MethodMetrics, MethodName, RpcMetrics } from '../grpc/context.ts';
import { labelledHistogram, type Tally, tallyCounter } from './tally.ts';

/** From a quarter of a millisecond to ten seconds. */
export const LATENCY_BUCKETS = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

const METHOD_LABELS = ['grpc_type', 'grpc_service', 'grpc_method'] as const;

/** Declares them; a process has one server. */
export function createRpcMetrics(): RpcMetrics {
  const families: Families = {
    started: tallyCounter({
      name: 'grpc_server_started_total',
      help: 'Calls that began.',
      labelNames: METHOD_LABELS,
    }),
    handled: tallyCounter({
      name: 'grpc_server_handled_total',
      help: 'Calls that ended, by the status that the caller got.',
      labelNames: [...METHOD_LABELS, 'grpc_code'],
    }),
    received: tallyCounter({
      name: 'grpc_server_msg_received_total',
      help: 'Messages that arrived.',
      labelNames: METHOD_LABELS,
    }),
    sent: tallyCounter({
      name: 'grpc_server_msg_sent_total',
      help: 'Messages that were sent.',
      labelNames: METHOD_LABELS,
    }),
    seconds: labelledHistogram({
      name: 'grpc_server_handling_seconds',
      help: 'From the arrival of a request to its answer; of a stream, how long it was open.',
      buckets: LATENCY_BUCKETS,
    }),
  };
  const refused = new Counter({
    name: 'charge_refused_total',
    help: 'Calls that were refused or failed, by reason of charge.v1.ErrorReason.',
    labelNames: ['reason'],
  });
  return {
    method: (name) => methodMetrics(name, families),
    refused: (reason) => refused.inc({ reason }),
  };
}

type MethodLabel = (typeof METHOD_LABELS)[number];
type Family<Label extends string> = (labels: Record<Label, string>) => Tally;

interface Families {
  readonly started: Family<MethodLabel>;
  readonly handled: Family<MethodLabel | 'grpc_code'>;
  readonly received: Family<MethodLabel>;
  readonly sent: Family<MethodLabel>;
  readonly seconds: (labels: Record<MethodLabel, string>) => Pick<Histogram, 'observe'>;
}

function methodMetrics({ type, service, method }: MethodName, families: Families): MethodMetrics {
  const labels = { grpc_type: type, grpc_service: service, grpc_method: method };
  const started = families.started(labels);
  const received = families.received(labels);
  const sent = families.sent(labels);
  const seconds = families.seconds(labels);
  const handled: (Tally | undefined)[] = [];
  const handledWith = (code: Code): Tally =>
    (handled[code] ??= families.handled({ ...labels, grpc_code: codeLabel(code) }));
  // From the start, so that the first call is an increase.
  handledWith(Code.OK);
  return {
    started: () => started.add(),
    finished: (code, duration) => {
      handledWith(code).add();
      seconds.observe(duration);
    },
    received: (messages) => received.add(messages),
    sent: (messages) => sent.add(messages),
  };
}

/** As Go spells it: `OK`, `InvalidArgument`, and one l in `Canceled`. */
function codeLabel(code: Code): string {
  if (code === Code.OK) return 'OK';
  if (code === Code.CANCELLED) return 'Canceled';
  const name = Code[code] ?? String(code);
  return name.toLowerCase().replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
}
