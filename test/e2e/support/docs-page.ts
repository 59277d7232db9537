/** Runs the commands of a page of documentation, in a directory where they work as in a checkout. */

import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from '@jest/globals';

import { ROOT, startTool, type ToolResult } from '../../support/tools.ts';
import { type ConsoleCommand, PrintedIds, readConsoleBlocks } from './console-blocks.ts';
import type { MoneyService } from './money-service.ts';

/** The address that the pages are about. */
const ADDRESS = '127.0.0.1:50051';
/** What the commands have exported, for those that follow. */
const ENVIRONMENT = 'environment.sh';

/** The text of a page in `docs`. */
export function readPage(name: string): string {
  return readFileSync(join(ROOT, 'docs', name), 'utf8');
}

/** What the commands of a page run with. */
export interface PageOptions {
  /** Texts of the page, and what stands for them in this run. */
  readonly instead?: Readonly<Record<string, string>>;
  /** Runs before the page, as one who reads it has done. */
  readonly before?: readonly string[];
  /** Sees what each command printed. */
  readonly after?: (command: string, printed: readonly string[]) => void;
}

/** A directory with `npx`, `node` and, if it is given, `grpcurl`, and a service that the commands reach. */
export class Checkout {
  readonly #service: Pick<MoneyService, 'address' | 'directory'>;

  constructor(service: Pick<MoneyService, 'address' | 'directory'>, grpcurl?: string) {
    this.#service = service;
    // `npx charge` and `npx node`, without npm's second of start.
    const node = `exec '${process.execPath}'`;
    const cases = `charge) shift; ${node} '${join(ROOT, 'src/cli/charge.js')}' "$@";;\nnode) shift; ${node} "$@";;`;
    this.#addProgram('npx', `case $1 in\n${cases}\nesac`);
    this.#addProgram('node', `${node} "$@"`);
    if (grpcurl !== undefined) symlinkSync(grpcurl, this.path('grpcurl'));
  }

  /** Of a file in the directory. */
  path(name: string): string {
    return join(this.#service.directory, name);
  }

  /** Every command prints what the page says. At least `commandsMin`: a test of nothing would pass. */
  async expectPage(page: string, commandsMin: number, options: PageOptions = {}): Promise<void> {
    const commands = readConsoleBlocks(page);
    expect(commands.length).toBeGreaterThanOrEqual(commandsMin);
    await this.expectCommands(commands, options);
  }

  /** Every command prints what is expected of it, in the environment that the commands before it have left. */
  async expectCommands(
    commands: readonly ConsoleCommand[],
    { instead = {}, before = [], after = () => undefined }: PageOptions = {},
  ): Promise<void> {
    const { directory, address } = this.#service;
    writeFileSync(this.path(ENVIRONMENT), `export PATH='${directory}':"$PATH" LISTEN='${address}'\n`);
    for (const command of before) expect(await this.#run(command)).toMatchObject({ status: 0 });
    const ids = new PrintedIds();
    for (const { command, output } of commands) {
      let filled = ids.fill(command);
      for (const [text, other] of Object.entries(instead)) filled = filled.replaceAll(text, other);
      const { status, stdout, stderr } = await this.#run(filled);
      const printed = this.#linesOf(stdout);
      // One that fails prints nothing, as many that work do. What "prices check" finds ends it with status 1.
      const failed = status !== 0 && output.length === 0;
      if (failed || !ids.matches(output, printed))
        expect({ command, printed, status, stderr }).toEqual({ command, printed: output });
      after(command, printed);
    }
  }

  #run(command: string): Promise<ToolResult> {
    const { address, directory } = this.#service;
    const script = `. ./${ENVIRONMENT}; eval "$1"; status=$?; export -p > ${ENVIRONMENT}; exit $status`;
    const here = command.replaceAll(ADDRESS, address).replaceAll(' examples/', ` ${ROOT}examples/`);
    return startTool('bash', ['-c', script, 'bash', here], { cwd: directory }).ended;
  }

  /** At the default address, which the pages are about, commands print no flag for it. */
  #linesOf(stdout: string): string[] {
    const { address } = this.#service;
    const text = stdout.replaceAll(` --address ${address}`, '').replaceAll(address, ADDRESS).trimEnd();
    return text === '' ? [] : text.split('\n');
  }

  #addProgram(name: string, script: string): void {
    writeFileSync(this.path(name), `#!/bin/sh\n${script}\n`);
    chmodSync(this.path(name), 0o755);
  }
}
