/** What the commands about tenants, keys and the audit log share. */

import type { Command } from 'commander';
import { throwFaults } from '../command.ts';
import { addConnectionFlags, readServer, type Server } from '../connection.ts';
import { openContract, type Contract } from '../contract.ts';
import { tableText } from '../prices/table.ts';

/** Where the service is, and how to print. */
export interface Options {
  readonly server: Server;
  readonly json: boolean;
}

/** Makes a command with the flags of all of them. */
export function addCommand(group: Command, nameAndArguments: string, summary: string): Command {
  const command = group
    .command(nameAndArguments)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .option('--json', 'print proto3 JSON');
  return addConnectionFlags(command);
}

/** Reads the flags of all commands, and throws a `UsageError` if there are faults by now. */
export function readOptions(command: Command, faults: string[] = []): Options {
  const server = readServer(command, faults);
  throwFaults(faults);
  return { server, json: command.opts<{ readonly json?: boolean }>().json ?? false };
}

/** How to print one kind of message. */
export interface Printing<T> {
  readonly titles: readonly string[];
  readonly row: (message: T) => string[];
  readonly toJson: (contract: Contract, message: T) => unknown;
}

/** As JSON one line each, so that a program can read a long list as it comes. */
export function print<T>(
  { titles, row, toJson }: Printing<T>,
  found: readonly (T | undefined)[],
  json: boolean,
): void {
  const messages = found.filter((message) => message !== undefined);
  if (messages.length === 0) return;
  const contract = json ? openContract() : undefined;
  const text = contract
    ? messages.map((message) => JSON.stringify(toJson(contract, message))).join('\n')
    : tableText(titles, messages.map(row));
  process.stdout.write(`${text}\n`);
}

const PAGE_SIZE = 1000;

/** Which page of a list. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Prints a list page by page, up to `limit` messages. */
export async function printPages<T>(
  printing: Printing<T>,
  json: boolean,
  limit: number,
  read: (
    request: PageRequest,
  ) => Promise<{ readonly messages: readonly T[]; readonly nextPageToken: string }>,
): Promise<void> {
  let pageToken = '';
  let left = limit;
  let isEmpty = true;
  do {
    const page = await read({ pageSize: Math.min(PAGE_SIZE, left), pageToken });
    print(printing, page.messages, json);
    left -= page.messages.length;
    if (page.messages.length > 0) isEmpty = false;
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && left > 0);
  if (isEmpty && !json) process.stdout.write('There are none.\n');
}
