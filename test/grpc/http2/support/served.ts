/** A server for each test, connections to it, and that nothing of them is left behind. */

import { status as Code } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect } from '@jest/globals';

import type { RpcLimits } from '../../../../src/grpc/dependencies.ts';
import { encodeFields } from '../../../../src/grpc/http2/hpack-encoder.ts';
import { waitFor } from '../../../support/wait-for.ts';
import { type Fixture, startServer } from '../../support/server.ts';
import { CREATE, createBody, HEALTH, healthBody, RECORD, recordBody } from './calls.ts';
import { headersFrames, rawFrame } from './frames.ts';
import { type ClientOptions, FramesClient, requestFields } from './frames-client.ts';

/** The header block of a plain request. */
export const headers = (path: string): Buffer => encodeFields(requestFields(path));

/** HEADERS of a plain request, without its end. */
export const begin = (id: number, path = CREATE): Buffer => headersFrames(id, headers(path));

/** HEADERS or CONTINUATION with what may be no more than a part of a block. */
export const part = (type: number, id: number, block = headers(CREATE), flags = 0): Buffer =>
  rawFrame(type, flags, id, block);

/** What a test of connections needs; to be made once in a file. */
export class Served {
  fixture!: Fixture;
  #clients: FramesClient[] = [];

  constructor() {
    beforeEach(() => {
      this.#clients = [];
    });
    afterEach(async () => {
      const { fixture } = this;
      fixture.book.release();
      for (const client of this.#clients) {
        client.destroy();
        expect(client.violations).toEqual([]);
      }
      await this.nothingIsLeft();
      expect(fixture.logs).toEqual([]);
      await fixture.close();
    });
  }

  /** To be called at the start of each test. */
  async start(limits: Partial<RpcLimits> = {}): Promise<void> {
    this.fixture = await startServer(limits);
  }

  connect(options?: ClientOptions): FramesClient {
    const client = new FramesClient(this.fixture.port, options);
    this.#clients.push(client);
    return client;
  }

  /** Waits until everything is given back. */
  async nothingIsLeft(): Promise<void> {
    const { load } = this.fixture.server;
    await waitFor('the calls', () => load.callsInFlight === 0);
    await waitFor('the bytes', () => load.heldBytes === 0);
    await waitFor('the watches', () => load.watchStreams === 0);
  }

  /** Another connection is served as ever. */
  async expectOthersServed(): Promise<void> {
    const client = this.connect();
    client.call(1, CREATE, createBody('another'));
    client.call(3, HEALTH, healthBody());
    client.call(5, RECORD, recordBody('another'));
    for (const id of [1, 3, 5]) expect(await client.status(id)).toBe(Code.OK);
  }
}
