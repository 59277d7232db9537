/** `charge key bootstrap`: the first key of the operator, directly in the database. */

import { Option, type Command } from 'commander';

import { StartError } from '../../errors/start-error.ts';
import { EXIT, type RunCommand } from '../command.ts';
import { secretText, withSecretPlace } from './secret.ts';

/** Adds the subcommand to the group. */
export function addBootstrap(group: Command, run: RunCommand): void {
  const command = group
    .command('bootstrap')
    .summary('make the first key of the operator, in the database')
    .description(
      'Makes a key of the tenant default with every scope, directly in the database. With it, the operator makes all ' +
        'other keys. On a loopback address the service needs no key by default, and so no bootstrap.',
    )
    .addOption(
      new Option('--database-url <url>', 'the database; by default the embedded one').env('DATABASE_URL'),
    )
    .addOption(
      new Option('--data-dir <path>', 'of the running service, for its embedded database')
        .env('DATA_DIR')
        .default('.data'),
    )
    .option('--file <path>', 'write the key into this new file instead of printing it')
    .option('--force', 'even if there is an active key with ADMIN')
    .action(() => run(() => bootstrap(command)));
}

interface Flags {
  readonly databaseUrl?: string;
  readonly dataDir: string;
  readonly file?: string;
  readonly force?: boolean;
}

function bootstrap(command: Command): Promise<number> {
  const { databaseUrl, dataDir, file, force = false } = command.opts<Flags>();
  return withSecretPlace(file, async ({ write }) => {
    // Only this command needs the database and its libraries.
    const { bootstrapKey } = await import('../../server/bootstrap-key.ts');
    try {
      const options = { databaseUrl: databaseUrl || undefined, dataDir, force };
      const { activeKeys, created } = await bootstrapKey(options);
      if (created === undefined) {
        process.stderr.write(
          `Nothing was done: the operator has ${activeKeys} active key${activeKeys === 1 ? '' : 's'} with ADMIN. ` +
            'Use one of them, or add another one with --force.\n',
        );
        return EXIT.rejected;
      }
      write(created.key);
      process.stderr.write(secretText(`The key ${created.apiKey.id} of the operator`, file));
      return EXIT.ok;
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      process.stderr.write(`${error.message}.\n`);
      return EXIT.failed;
    }
  });
}
