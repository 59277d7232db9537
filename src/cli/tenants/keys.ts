/** `charge key …`: API keys. */

import type { Command } from 'commander';
import { Scope } from '../../../generated/charge/v1/access.ts';
import { ApiKey, TenantServiceService as Methods } from '../../../generated/charge/v1/tenant_service.ts';
import { EXIT, type RunCommand } from '../command.ts';
import { agree } from '../confirm.ts';
import { openContract } from '../contract.ts';
import { quote } from '../import/values.ts';
import { adviceOn } from '../server-error.ts';
import { Refused, type Session, withSession } from '../session.ts';
import { readTime, timeText } from '../time.ts';
import { safeName } from '../usage/names.ts';
import { addBootstrap } from './bootstrap.ts';
import { addCommand, print, printPages, readOptions, type Options, type Printing } from './options.ts';
import { type SecretPlace, secretText, withSecretPlace } from './secret.ts';

/** Adds the group to the program. */
export function addKeys(program: Command, run: RunCommand): void {
  const group = program
    .command('key')
    .summary('create, list, rotate and revoke API keys')
    .description(
      'Administers API keys. A key is shown once, when it is made, and nobody can find it out later.',
    );
  addBootstrap(group, run);
  const create = addSecretFlags(addCommand(group, 'create', 'create an API key'))
    .option('--scope <names>', `what it may do, separated by commas: ${SCOPE_NAMES.join(', ')}`)
    .option('--name <text>', 'what it is for')
    .option('--user <id>', 'the one user profile that it may record and read')
    .action(() => run((interrupt) => runCreate(create, interrupt)));
  const rotate = addSecretFlags(
    addCommand(group, 'rotate <id>', 'make a key that takes the place of another'),
  )
    .option('--overlap <duration>', 'how long the old key still works: 0, 30m, 12h, 7d; at most 30d', '1d')
    .action((id: string) => run((interrupt) => runRotate(rotate, id, interrupt)));
  const revoke = addTenantFlag(addCommand(group, 'revoke <id>', 'refuse a key for ever'))
    .option('--yes', 'do not ask')
    .action((id: string) => run((interrupt) => runRevoke(revoke, id, interrupt)));
  const list = addTenantFlag(addCommand(group, 'list', 'list API keys, the newest first')).action(() =>
    run((interrupt) => runList(list, interrupt)),
  );
}

function addTenantFlag(command: Command): Command {
  return command.option('--tenant <id>', 'of which tenant; by default that of the credential');
}

function addSecretFlags(command: Command): Command {
  return addTenantFlag(command)
    .option('--expire-time <time>', 'from when on it is refused, such as 2027-01-01')
    .option('--file <path>', 'write the key into this new file instead of printing it');
}

type Flags = Partial<
  Record<'tenant' | 'expireTime' | 'file' | 'scope' | 'name' | 'user' | 'overlap', string>
> & {
  readonly yes?: boolean;
};

function runCreate(command: Command, interrupt: AbortSignal): Promise<number> {
  const flags = command.opts<Flags>();
  const faults: string[] = [];
  const apiKey = ApiKey.fromPartial({});
  Object.assign(apiKey, {
    displayName: flags.name ?? '',
    scopes: readScopes(flags.scope, faults),
    userProfile: flags.user ?? '',
    expireTime: readTime('--expire-time', flags.expireTime, faults),
  });
  const request = { tenantId: flags.tenant ?? '', apiKey };
  return makeKey(readOptions(command, faults), flags.file, interrupt, (session) =>
    session.callOnce(Methods.createApiKey, request),
  );
}

function runRotate(command: Command, id: string, interrupt: AbortSignal): Promise<number> {
  const flags = command.opts<Flags>();
  const faults: string[] = [];
  const request = {
    tenantId: flags.tenant ?? '',
    id,
    overlap: readOverlap(flags.overlap ?? '', faults),
    expireTime: readTime('--expire-time', flags.expireTime, faults),
  };
  return makeKey(readOptions(command, faults), flags.file, interrupt, async (session) => {
    const rotated = await session.callOnce(Methods.rotateApiKey, request);
    process.stderr.write(`The key ${id} works until ${timeText(rotated.previous?.expireTime)}.\n`);
    return rotated;
  });
}

/** Calls a method that makes a key. The place of the secret is there before. */
function makeKey(
  options: Options,
  file: string | undefined,
  interrupt: AbortSignal,
  call: (session: Session) => Promise<{ readonly apiKey: ApiKey | undefined; readonly key: string }>,
): Promise<number> {
  return withSecretPlace(file, (place) =>
    withSession(options, interrupt, async (session) => {
      const made = await call(session).catch((error: unknown) => {
        if (error instanceof Refused && adviceOn(error.error) !== 'give_up')
          process.stderr.write(
            'Perhaps it was made. "charge key list" shows it: revoke it, because nobody has it.\n',
          );
        throw error;
      });
      printSecret(made, place, options.json);
      return EXIT.ok;
    }),
  );
}

function printSecret(
  { apiKey, key }: { readonly apiKey: ApiKey | undefined; readonly key: string },
  place: SecretPlace,
  json: boolean,
): void {
  if (place.path !== undefined || !json) place.write(key);
  if (json) {
    const shown = place.path === undefined && { key };
    process.stdout.write(
      `${JSON.stringify({ apiKey: apiKey && openContract().apiKeyToJson(apiKey), ...shown })}\n`,
    );
  } else process.stderr.write(secretText(`The key ${apiKey?.id ?? ''}`, place.path));
}

function runRevoke(command: Command, id: string, interrupt: AbortSignal): Promise<number> {
  const { tenant: tenantId = '', yes } = command.opts<Flags>();
  const options = readOptions(command);
  return withSession(options, interrupt, async (session) => {
    await agree(`Revoke the key ${safeName(id)}? This cannot be undone.`, yes, interrupt);
    const { apiKey } = await session.call(Methods.revokeApiKey, { tenantId, id });
    print(PRINTING, [apiKey], options.json);
    return EXIT.ok;
  });
}

function runList(command: Command, interrupt: AbortSignal): Promise<number> {
  const { tenant: tenantId = '' } = command.opts<Flags>();
  const options = readOptions(command);
  return withSession(options, interrupt, async (session) => {
    await printPages(PRINTING, options.json, Infinity, async (page) => {
      const { apiKeys: messages, nextPageToken } = await session.call(Methods.listApiKeys, {
        ...page,
        tenantId,
      });
      return { messages, nextPageToken };
    });
    return EXIT.ok;
  });
}

const SCOPES: ReadonlyMap<string, Scope> = new Map([
  ['record', Scope.SCOPE_RECORD],
  ['read', Scope.SCOPE_READ],
  ['price', Scope.SCOPE_PRICE],
  ['budget', Scope.SCOPE_BUDGET],
  ['correct', Scope.SCOPE_CORRECT],
  ['admin', Scope.SCOPE_ADMIN],
]);
const SCOPE_NAMES = [...SCOPES.keys()];

const PRINTING: Printing<ApiKey> = {
  titles: ['ID', 'NAME', 'SCOPES', 'USER', 'CREATED', 'EXPIRES', 'REVOKED', 'LAST USED'],
  row: ({ id, displayName, scopes, userProfile, createTime, expireTime, revokeTime, lastUseTime }) => [
    ...[id, displayName],
    SCOPE_NAMES.filter((name) => scopes.some((scope) => scope === SCOPES.get(name))).join(','),
    userProfile,
    ...[createTime, expireTime, revokeTime, lastUseTime].map(timeText),
  ],
  toJson: (contract, apiKey) => contract.apiKeyToJson(apiKey),
};

function readScopes(text: string | undefined, faults: string[]): Scope[] {
  const all = SCOPE_NAMES.join(', ');
  if (text === undefined) faults.push(`--scope: say what the key may do: ${all}`);
  const scopes = new Set<Scope>();
  for (const name of text?.split(',').map((part) => part.trim().toLowerCase()) ?? []) {
    const scope = SCOPES.get(name);
    if (scope === undefined) faults.push(`--scope: ${quote(name)} is none of ${all}`);
    else scopes.add(scope);
  }
  return [...scopes];
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function readOverlap(text: string, faults: string[]) {
  const [, count, unit] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  const seconds = text === '0' ? 0 : Number(count) * (UNIT_SECONDS[unit ?? ''] ?? NaN);
  if (Number.isNaN(seconds))
    faults.push(`--overlap: ${quote(text)} is no duration such as 0, 30m, 12h or 7d`);
  return { seconds: BigInt(seconds || 0), nanos: 0 };
}
