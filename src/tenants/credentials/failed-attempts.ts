/**
 * Slows down whoever tries credentials. Nobody can guess 256 random bits, so this limits what trying costs the others.
 *
 * After 20 failures in a minute, credentials from that address that are not known yet wait a second, and those that
 * fail are told to wait. Credentials that are right still work, because many clients may share one address.
 */

import { setTimeout as delay } from 'node:timers/promises';

import { type Failure, overloaded } from '../../errors/failure.ts';
import { prepareFailure } from '../../grpc/status.ts';
import { BoundedMap } from './bounded-map.ts';

const FAILURES_MAX = 20;
const PER_MS = 60_000;
const ADDRESSES_MAX = 10_000;
const WAIT_MS = 1_000;
/** Calls of all addresses that wait at once: a tenth of the calls that a server accepts. */
const WAITING_MAX = 1_000;

interface Bucket {
  failures: number;
  atMs: number;
}

export class FailedAttempts {
  readonly tooMany: Failure = prepareFailure(
    overloaded(
      'failed_authentications',
      `${FAILURES_MAX} failed authentications a minute`,
      PER_MS / FAILURES_MAX,
    ),
  );
  readonly #buckets = new BoundedMap<string, Bucket>(ADDRESSES_MAX);
  #waiting = 0;

  /** An attempt from this client failed: what to answer instead of why, or undefined. */
  failed(peer: string): Failure | undefined {
    const address = addressOf(peer);
    const failures = this.#failuresOf(address);
    if (failures + 1 > FAILURES_MAX) return this.tooMany;
    this.#buckets.set(address, { failures: failures + 1, atMs: performance.now() });
    return undefined;
  }

  /** Whether a credential of this client that is not known waits for its {@link turn}. */
  isSlowed(peer: string): boolean {
    return this.#buckets.size > 0 && this.#failuresOf(addressOf(peer)) + 1 > FAILURES_MAX;
  }

  /** Waits until a credential that is not known may be looked up. Resolves to why it may not, or undefined. */
  async turn(): Promise<Failure | undefined> {
    if (this.#waiting >= WAITING_MAX) return this.tooMany;
    this.#waiting++;
    await delay(WAIT_MS);
    this.#waiting--;
    return undefined;
  }

  #failuresOf(address: string): number {
    const bucket = this.#buckets.get(address);
    if (bucket === undefined) return 0;
    const forgotten = ((performance.now() - bucket.atMs) * FAILURES_MAX) / PER_MS;
    return Math.max(0, bucket.failures - forgotten);
  }
}

/** The address of a client without its port. Of IPv6 the first half: whoever has one address has all of that network. */
export function addressOf(peer: string): string {
  const address = peer.slice(0, peer.lastIndexOf(':')).replace(/^::ffff:(?=\d+\.)/, '');
  if (!address.includes(':')) return address;
  const [start = '', end] = address.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const missing = end === undefined ? 0 : 8 - groups(start).length - groups(end).length;
  const all = [...groups(start), ...Array<string>(Math.max(0, missing)).fill('0'), ...groups(end ?? '')];
  return all.slice(0, 4).join(':');
}
