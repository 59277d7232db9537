/** Standard output, for answers of any size. */

import { once } from 'node:events';

const CHUNK_LENGTH = 64 * 1024;

/** Collects small texts, and waits while the reader is slow. */
export class Output {
  #waiting = '';

  /** False: nobody reads any more. */
  async write(text: string): Promise<boolean> {
    this.#waiting += text;
    return this.#waiting.length < CHUNK_LENGTH || this.flush();
  }

  /** Hands over what was collected. */
  async flush(): Promise<boolean> {
    const text = this.#waiting;
    this.#waiting = '';
    const { stdout } = process;
    if (stdout.destroyed) return false;
    if (!stdout.write(text)) {
      const ended = new AbortController();
      const { signal } = ended;
      const events = ['drain', 'close'].map((event) => once(stdout, event, { signal }));
      // An error means that the reader has gone, and destroys the stream.
      await Promise.race(events).catch(() => undefined);
      ended.abort();
    }
    return !stdout.destroyed;
  }
}
