/** `charge profile …`: user profiles, the people and programs that charges are billed to. */

import type { Command } from 'commander';
import { UserProfile } from '../../../generated/charge/v1/user_profile_service.ts';
import { throwFaults, type RunCommand } from '../command.ts';
import { addConnectionFlags, readServer } from '../connection.ts';
import { collect, readLabels } from '../filter-flags.ts';
import { addErase } from './erase.ts';
import { runChange, runList, runShow, type ProfileOptions } from './run.ts';

/** Adds the group to the program. */
export function addProfiles(program: Command, run: RunCommand): void {
  const group = program
    .command('profile')
    .summary('create, change, list, disable and erase user profiles')
    .description('Keeps user profiles: the people and programs that charges are billed to.');
  const create = addContentFlags(withId(group, 'create', 'create a user profile')).action((id: string) =>
    run((interrupt) => {
      const { userProfile, options } = readContent(create, id);
      return runChange({ kind: 'create', userProfile }, options, interrupt);
    }),
  );
  const update = addContentFlags(withId(group, 'update', 'change what is named; leave the rest'))
    .option('--no-labels', 'remove all labels')
    .option('--no-external-ids', 'remove all external ids')
    .action((id: string) =>
      run((interrupt) => {
        const { userProfile, mask, options } = readContent(update, id);
        if (mask.length === 0) throwFaults(['nothing is to be changed: give --name or another flag']);
        return runChange({ kind: 'update', userProfile, mask }, options, interrupt);
      }),
    );
  for (const kind of ['disable', 'enable'] as const) {
    const text = kind === 'disable' ? 'a tenant may refuse its charges from now on' : 'end disable';
    const command = withId(group, kind, text).action((id: string) =>
      run((interrupt) => runChange({ kind, id }, readOptions(command), interrupt)),
    );
  }
  const show = withId(group, 'show', 'show a user profile').action((id: string) =>
    run((interrupt) => runShow(id, readOptions(show), interrupt)),
  );
  const list = addCommonFlags(group.command('list').summary('list user profiles'))
    .description('Lists user profiles by id.')
    .option('--label <key=value>', 'only those with this label; can be repeated', collect)
    .action(() =>
      run((interrupt) => {
        const faults: string[] = [];
        const { label = [] } = list.opts<{ readonly label?: readonly string[] }>();
        const labels = readLabels('--label', label, faults);
        return runList(labels, readOptions(list, faults), interrupt);
      }),
    );
  addErase(group, run);
}

function withId(group: Command, name: string, summary: string): Command {
  const command = group
    .command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .argument('<id>', 'as charges name it');
  return addCommonFlags(command);
}

function addCommonFlags(command: Command): Command {
  return addConnectionFlags(command.option('--json', 'print proto3 JSON'));
}

function addContentFlags(command: Command): Command {
  return command
    .option('--name <text>', 'the name for people')
    .option('--email <address>', 'the e-mail address')
    .option(
      '--label <key=value>',
      'a label, such as team=search; can be repeated; replaces all labels',
      collect,
    )
    .option('--external-id <system=id>', 'the id in another system; can be repeated; replaces all', collect);
}

interface ContentFlags {
  readonly name?: string;
  readonly email?: string;
  readonly label?: readonly string[];
  readonly externalId?: readonly string[];
  readonly labels?: boolean;
  readonly externalIds?: boolean;
}

/** The user profile that the flags describe, and the fields that they name. */
function readContent(command: Command, id: string) {
  const flags = command.opts<ContentFlags>();
  const faults: string[] = [];
  if (flags.label && flags.labels === false) faults.push('--label and --no-labels exclude each other');
  if (flags.externalId && flags.externalIds === false)
    faults.push('--external-id and --no-external-ids exclude each other');
  const userProfile = UserProfile.fromPartial({});
  Object.assign(userProfile, {
    id,
    displayName: flags.name ?? '',
    email: flags.email ?? '',
    labels: readLabels('--label', flags.label ?? [], faults),
    externalIds: readLabels('--external-id', flags.externalId ?? [], faults),
  });
  const mask = [
    ...(flags.name === undefined ? [] : ['display_name']),
    ...(flags.email === undefined ? [] : ['email']),
    ...(flags.label || flags.labels === false ? ['labels'] : []),
    ...(flags.externalId || flags.externalIds === false ? ['external_ids'] : []),
  ];
  return { userProfile, mask, options: readOptions(command, faults) };
}

function readOptions(command: Command, faults: string[] = []): ProfileOptions {
  const server = readServer(command, faults);
  throwFaults(faults);
  return { server, json: command.opts<{ readonly json?: boolean }>().json ?? false };
}
