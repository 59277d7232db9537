/** `charge audit list`: what administrators did. */

import type { Command } from 'commander';
import {
  type AuditEntry,
  TenantServiceService as Methods,
} from '../../../generated/charge/v1/tenant_service.ts';
import { EXIT, readNumber, type RunCommand } from '../command.ts';
import { withSession } from '../session.ts';
import { timeText } from '../time.ts';
import { addCommand, printPages, readOptions, type Printing } from './options.ts';

const LIMIT_MAX = 999_999_999;

/** Adds the group to the program. */
export function addAudit(program: Command, run: RunCommand): void {
  const group = program
    .command('audit')
    .summary('list what administrators did')
    .description('The audit log.');
  const list = addCommand(group, 'list', 'list what administrators did to a tenant, the newest first')
    .option('--tenant <id>', 'to which tenant; by default that of the credential')
    .option('--limit <number>', 'how many at most', '100')
    .action(() => run((interrupt) => runList(list, interrupt)));
}

function runList(command: Command, interrupt: AbortSignal): Promise<number> {
  const { tenant: tenantId = '', limit } = command.opts<{
    readonly tenant?: string;
    readonly limit: string;
  }>();
  const faults: string[] = [];
  const count = readNumber('--limit', limit, LIMIT_MAX, faults);
  const options = readOptions(command, faults);
  return withSession(options, interrupt, async (session) => {
    await printPages(PRINTING, options.json, count, async (page) => {
      const request = { ...page, tenantId };
      const { auditEntries: messages, nextPageToken } = await session.call(Methods.listAuditEntries, request);
      return { messages, nextPageToken };
    });
    return EXIT.ok;
  });
}

const PRINTING: Printing<AuditEntry> = {
  titles: ['TIME', 'ACTOR', 'OF TENANT', 'FROM', 'ACTION', 'TARGET', 'DETAILS'],
  row: ({ createTime, actor, actorTenantId, peer, action, target, details }) => [
    timeText(createTime),
    ...[actor, actorTenantId, peer, action.replace('charge.v1.', ''), firstOf(target)],
    [...details].map(([key, value]) => `${key}=${value}`).join(' '),
  ],
  toJson: (contract, entry) => contract.auditEntryToJson(entry),
};

/** A void may name 100 charges: too many for a column. */
function firstOf(target: string): string {
  const [first = '', ...others] = target.split(', ');
  return others.length === 0 ? first : `${first}, …`;
}
