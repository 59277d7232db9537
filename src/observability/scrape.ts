/** The metrics of all processes of the service in one answer. */

import { AggregatorRegistry, type Registry } from 'prom-client';

import { describeError } from '../errors/describe-error.ts';
import type { Logger } from './logger.ts';

/** What `/metrics` answers. */
export interface Exposition {
  readonly body: string;
  readonly contentType: string;
}

/**
 * Asks the server processes for their metrics, adds them up, and appends those of `registry`. Who asks while an answer
 * is being made gets the same one, so scrapes cannot pile up while a process hangs.
 */
export function metricsOfAll(registry: Registry, logger: Logger): () => Promise<Exposition> {
  const aggregator = new AggregatorRegistry();
  let complete = true;
  const say = (nowComplete: boolean, error?: unknown): void => {
    if (nowComplete === complete) return;
    complete = nowComplete;
    if (complete) logger.info({}, 'the metrics of the server processes are complete again');
    else logger.warn({ error: describeError(error) }, 'the metrics of the server processes are missing');
  };
  const ofServers = async (): Promise<string> => {
    try {
      const text = await aggregator.clusterMetrics();
      say(true);
      return text;
    } catch (error) {
      // A process that is starting or hangs must not hide the metrics of the relay.
      say(false, error);
      return '# The metrics of a server process did not arrive in time.\n';
    }
  };
  const answer = async (): Promise<Exposition> => {
    const body = `${await ofServers()}\n${await registry.metrics()}`;
    return { body, contentType: registry.contentType };
  };
  let answering: Promise<Exposition> | undefined;
  return () => (answering ??= answer().finally(() => (answering = undefined)));
}
