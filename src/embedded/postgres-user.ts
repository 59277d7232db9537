/** The user under which the embedded PostgreSQL runs: our own, or an unprivileged one if we are root. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, readFileSync, statSync } from 'node:fs';
import { StartError } from '../errors/start-error.ts';
import { childEnvironment, type Logger } from './process.ts';

/** How to start a PostgreSQL program. */
export interface RunAs {
  /** Set if the programs run under another user than this process. */
  account?: Account;
  /** The command and arguments to spawn for a program and its arguments. */
  command(program: string, args: readonly string[]): [string, string[]];
  /** Options to spawn with. Empty if the command itself changes the user. */
  spawnOptions: { uid?: number; gid?: number };
}

/** A user id and its group. */
export interface Account {
  uid: number;
  gid: number;
}

/** What `chooseRunAs` reads of the machine. Tests replace it. */
export interface Machine {
  euid: number | undefined;
  sudoUid: string | undefined;
  passwd: string;
}

function thisMachine(): Machine {
  return {
    euid: process.geteuid?.(),
    sudoUid: process.env['SUDO_UID'],
    passwd: existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '',
  };
}

/**
 * Chooses the user for the cluster in `clusterDir` (below `dataDir`; need not exist yet).
 * PostgreSQL refuses to run as root. Root therefore takes the owner of an existing cluster, else the user who called
 * `sudo`, else the account `postgres`, else `nobody`. If that user cannot reach the directory or the programs, for
 * example below a home directory of mode 0700, it gets the one capability that lets it pass (setpriv of util-linux).
 * Throws if nothing works; the message says what to do.
 */
export function chooseRunAs(
  paths: { dataDir: string; clusterDir: string; program: string },
  logger: Logger,
  machine: Machine = thisMachine(),
): RunAs {
  const owner = existsSync(paths.clusterDir) ? statSync(paths.clusterDir) : undefined;
  if (machine.euid !== 0) {
    if (owner !== undefined && machine.euid !== undefined && owner.uid !== machine.euid) {
      throw new StartError(
        `${paths.clusterDir} belongs to user ${owner.uid}, but this process runs as user ` +
          `${machine.euid}: start it as the same user as before, or set another DATA_DIR`,
      );
    }
    return { command: (program, args) => [program, [...args]], spawnOptions: {} };
  }
  const account = accountFor(owner, machine);
  if (owner?.uid === 0) execFileSync('chown', ['-R', `${account.uid}:${account.gid}`, paths.clusterDir]);
  const reasons: string[] = [];
  for (const capability of [undefined, 'dac_read_search', 'dac_override']) {
    const runAs = capability === undefined ? plain(account) : withCapability(account, capability);
    const reason = whyNot(runAs, paths);
    if (reason === undefined) {
      logger.debug({ ...account, capability }, 'running PostgreSQL as an unprivileged user');
      return runAs;
    }
    reasons.push(reason);
  }
  throw new StartError(
    `PostgreSQL must not run as root, and user ${account.uid} cannot reach ${paths.dataDir} or ` +
      `${paths.program}: start the service as an ordinary user, move DATA_DIR and the project out of directories ` +
      `that only root may enter, or set DATABASE_URL (tried: ${reasons.join('; ')})`,
  );
}

/** Gives a file to the account that PostgreSQL runs under. Does nothing if that is our own. */
export function giveTo({ account }: RunAs, path: string): void {
  if (account !== undefined) chownSync(path, account.uid, account.gid);
}

function accountFor(owner: Account | undefined, { passwd, sudoUid }: Machine): Account {
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const accounts = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => Number.isInteger(uid) && uid > 0 && Number.isInteger(gid));
  const found =
    accounts.find(({ uid }) => String(uid) === sudoUid) ??
    accounts.find(({ name }) => name === 'postgres' || name === '_postgres') ??
    // macOS has -2 here.
    accounts.find(({ name }) => name === 'nobody');
  if (found === undefined) {
    throw new StartError(
      'PostgreSQL must not run as root, and there is no account "postgres" or "nobody" to run it as: ' +
        'start the service as an ordinary user, or set DATABASE_URL',
    );
  }
  return { uid: found.uid, gid: found.gid };
}

function plain(account: Account): RunAs {
  return { account, command: (program, args) => [program, [...args]], spawnOptions: account };
}

function withCapability(account: Account, capability: string): RunAs {
  const flags = [
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    '--clear-groups',
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
    // PostgreSQL checks its own programs with access(2). Without this bit that call ignores the capabilities of a user
    // other than root, and initdb ends with "invalid binary … Permission denied".
    '--securebits=+no_setuid_fixup',
    '--',
  ];
  return {
    account,
    command: (program, args) => ['setpriv', [...flags, program, ...args]],
    spawnOptions: {},
  };
}

// Tries to run PostgreSQL, because mount options, missing capabilities of a container and old versions of setpriv
// cannot be foreseen. Returns why it does not work, or undefined.
function whyNot(runAs: RunAs, paths: { dataDir: string; program: string }): string | undefined {
  const script = 'cd "$1" && test -x "$2" && "$2" --version';
  const [command, args] = runAs.command('/bin/sh', ['-c', script, 'sh', paths.dataDir, paths.program]);
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...runAs.spawnOptions,
    cwd: '/',
    env: childEnvironment(),
    encoding: 'utf8',
    timeout: 5_000,
  });
  // A PostgreSQL that cannot read its own program says "invalid binary", prints its version and succeeds.
  if (status === 0 && stdout.startsWith('postgres') && !stderr.includes('invalid binary')) return undefined;
  const output = [error?.message, stderr, stdout].map((text) => text?.trim()).find(Boolean);
  return `${command}: ${(output ?? `status ${status}`).slice(0, 200)}`;
}
