/** grpcurl with the address of a server and nothing else. */
import { expect } from '@jest/globals';
import { createFileRegistry, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type RunningTool, startTool, type ToolResult } from '../../support/tools.ts';

/** Runs the program, once per request. */
export class Grpcurl {
  readonly #path: string;
  readonly #address: string;

  constructor(path: string, address: string) {
    this.#path = path;
    this.#address = address;
  }

  /** Its output; expects success. */
  run(args: readonly string[], ...symbol: string[]): Promise<string> {
    return outputOf(this.#start(args, symbol));
  }

  /** Calls a method with these requests, all on standard input. */
  startCall(method: string, requests: readonly object[], ...args: string[]): RunningTool {
    const input = requests.map((request) => JSON.stringify(request)).join('\n');
    return this.#start([...args, '-d', '@'], [method], input);
  }

  /** The responses; expects success. */
  async call(method: string, ...requests: object[]): Promise<unknown[]> {
    return parseMessages(await outputOf(this.startCall(method, requests)));
  }

  /** What became of a call that is not expected to succeed. */
  failing(method: string, request: object, ...args: string[]): Promise<ToolResult> {
    return this.startCall(method, [request], ...args).ended;
  }

  /** What reflection says of a symbol and of all that its file imports, with every option. */
  async dump(symbol: string): Promise<FileRegistry> {
    const directory = mkdtempSync(join(tmpdir(), 'charge-grpcurl-'));
    try {
      const path = join(directory, 'all.binpb');
      await this.run(['-protoset-out', path], 'describe', symbol);
      return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  #start(args: readonly string[], symbol: readonly string[], input?: string): RunningTool {
    const all = ['-plaintext', '-connect-timeout', '10', ...args, this.#address, ...symbol];
    return startTool(this.#path, all, input === undefined ? {} : { input });
  }
}

/** The messages that grpcurl printed, one after another, each beginning in the first column. */
export function parseMessages(output: string): unknown[] {
  return output
    .split(/^(?=\{)/m)
    .filter((text) => text.trim() !== '')
    .map((text) => JSON.parse(text) as unknown);
}

async function outputOf(running: RunningTool): Promise<string> {
  const { status, stdout, stderr } = await running.ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}
