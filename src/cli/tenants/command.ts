/** `charge tenant …`: tenants, whose charges, prices and credentials are kept apart. */

import type { Command } from 'commander';
import {
  type Tenant,
  TenantServiceService as Methods,
  TenantSettings,
  UnknownUserProfiles,
} from '../../../generated/charge/v1/tenant_service.ts';
import { EXIT, throwFaults, type RunCommand } from '../command.ts';
import { agree } from '../confirm.ts';
import { quote } from '../import/values.ts';
import { type Session, withSession } from '../session.ts';
import { timeText } from '../time.ts';
import { safeName } from '../usage/names.ts';
import { addCommand, print, printPages, readOptions, type Options, type Printing } from './options.ts';

/** Adds the group to the program. */
export function addTenants(program: Command, run: RunCommand): void {
  const group = program
    .command('tenant')
    .summary('create, change, list and suspend tenants')
    .description('Administers tenants: whose charges, prices and credentials are kept apart.');
  const create = addContentFlags(addCommand(group, 'create <id>', 'create a tenant')).action((id: string) =>
    run((interrupt) => {
      const { tenant, options } = readContent(create, id);
      return change(options, interrupt, (session) => session.call(Methods.createTenant, { tenant }));
    }),
  );
  const update = addContentFlags(
    addCommand(group, 'update <id>', 'change what is named; leave the rest'),
  ).action((id: string) =>
    run((interrupt) => {
      const { tenant, updateMask, options } = readContent(update, id);
      if (updateMask.length === 0) throwFaults(['nothing is to be changed: give --name or another flag']);
      return change(options, interrupt, (session) =>
        session.call(Methods.updateTenant, { tenant, updateMask }),
      );
    }),
  );
  const suspend = addCommand(group, 'suspend <id>', 'refuse every call of a tenant; nothing is deleted')
    .option('--yes', 'do not ask')
    .action((id: string) =>
      run((interrupt) =>
        change(readOptions(suspend), interrupt, async (session) => {
          const { yes } = suspend.opts<{ readonly yes?: boolean }>();
          await agree(`Refuse every call of the tenant ${safeName(id)}?`, yes, interrupt);
          return session.call(Methods.suspendTenant, { tenantId: id });
        }),
      ),
    );
  const resume = addCommand(group, 'resume <id>', 'end suspend').action((id: string) =>
    run((interrupt) =>
      change(readOptions(resume), interrupt, (session) =>
        session.call(Methods.resumeTenant, { tenantId: id }),
      ),
    ),
  );
  const show = addCommand(group, 'show [id]', 'show a tenant; without an id, that of the credential').action(
    (id = '') =>
      run((interrupt) =>
        change(readOptions(show), interrupt, (session) =>
          session.call(Methods.getTenant, { tenantId: id as string }),
        ),
      ),
  );
  const list = addCommand(group, 'list', 'list tenants by id').action(() =>
    run((interrupt) => runList(readOptions(list), interrupt)),
  );
}

/** Calls a method that answers with a tenant, and prints it. */
function change(
  options: Options,
  interrupt: AbortSignal,
  call: (session: Session) => Promise<{ tenant: Tenant | undefined }>,
): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    print(PRINTING, [(await call(session)).tenant], options.json);
    return EXIT.ok;
  });
}

function runList(options: Options, interrupt: AbortSignal): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    await printPages(PRINTING, options.json, Infinity, async (request) => {
      const { tenants: messages, nextPageToken } = await session.call(Methods.listTenants, request);
      return { messages, nextPageToken };
    });
    return EXIT.ok;
  });
}

const PRINTING: Printing<Tenant> = {
  titles: [...['ID', 'NAME', 'UNKNOWN USERS', 'CALLS', 'STREAMS', 'CHARGES/S'], ...['CREATED', 'SUSPENDED']],
  row: ({ id, displayName, settings = TenantSettings.fromPartial({}), createTime, suspendTime }) => {
    const { unknownUserProfiles: rule, ...limits } = settings;
    const { callsInFlightMax, streamsMax, chargesPerSecondMax } = limits;
    return [
      ...[id, displayName],
      Object.entries(RULES).find(([, number]) => number === rule)?.[0] ?? 'accept',
      ...[callsInFlightMax, streamsMax, chargesPerSecondMax].map((max) => (max === 0 ? '-' : `${max}`)),
      ...[timeText(createTime), timeText(suspendTime)],
    ];
  },
  toJson: (contract, tenant) => contract.tenantToJson(tenant),
};

const RULES = {
  accept: UnknownUserProfiles.UNKNOWN_USER_PROFILES_ACCEPT,
  create: UnknownUserProfiles.UNKNOWN_USER_PROFILES_CREATE,
  refuse: UnknownUserProfiles.UNKNOWN_USER_PROFILES_REFUSE,
} as const;

const LIMITS = ['callsInFlightMax', 'streamsMax', 'chargesPerSecondMax'] as const;

type ContentFlags = Partial<Record<'name' | 'unknownUserProfiles' | (typeof LIMITS)[number], string>>;

function addContentFlags(command: Command): Command {
  return command
    .option('--name <text>', 'the name for people')
    .option('--unknown-user-profiles <rule>', 'charges of unknown or disabled ones: accept, create, refuse')
    .option(
      '--calls-in-flight-max <number>',
      'unary calls at once, in each server process; 0: none of its own',
    )
    .option('--streams-max <number>', 'open streams, in each server process; 0: none of its own')
    .option(
      '--charges-per-second-max <number>',
      'charges a second, in each server process; 0: none of its own',
    );
}

/** The tenant that the flags describe, and the fields that they name. */
function readContent(command: Command, id: string) {
  const flags = command.opts<ContentFlags>();
  const faults: string[] = [];
  const updateMask = flags.name === undefined ? [] : ['display_name'];
  const settings = TenantSettings.fromPartial({});
  if (flags.unknownUserProfiles !== undefined) {
    updateMask.push('settings.unknown_user_profiles');
    settings.unknownUserProfiles = readRule(flags.unknownUserProfiles, faults);
  }
  for (const limit of LIMITS) {
    const text = flags[limit];
    if (text === undefined) continue;
    updateMask.push(`settings.${limit.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`);
    settings[limit] = readLimit(limit, text, faults);
  }
  const tenant: Tenant = {
    ...{ id, displayName: flags.name ?? '', settings },
    ...{ createTime: undefined, suspendTime: undefined },
  };
  return { tenant, updateMask, options: readOptions(command, faults) };
}

function readRule(text: string, faults: string[]): UnknownUserProfiles {
  const rule = Object.entries(RULES).find(([name]) => name === text)?.[1];
  if (rule === undefined)
    faults.push(`--unknown-user-profiles: ${quote(text)} is none of accept, create, refuse`);
  return rule ?? 0;
}

const LIMIT_MAX = 2 ** 31 - 1;

function readLimit(name: string, text: string, faults: string[]): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (number <= LIMIT_MAX) return number;
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  faults.push(`--${flag}: expected a whole number from 0 to ${LIMIT_MAX}, not ${quote(text)}`);
  return 0;
}
