/** Under which user the embedded PostgreSQL runs: our own, or an unprivileged one when we are root. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, readFileSync, statSync } from 'node:fs';
import { childEnvironment, type Logger } from './process.ts';

/** How to start a PostgreSQL program. */
export interface RunAs {
  /** Set when the programs run under another user than ourselves. */
  account?: Account;
  /** The command and arguments to spawn for a program and its arguments. */
  command(program: string, args: readonly string[]): [string, string[]];
  /** Options to spawn with; empty when the command itself changes the user. */
  spawnOptions: { uid?: number; gid?: number };
}

/** A user id and its group. */
export interface Account {
  uid: number;
  gid: number;
}

/** Nobody can run PostgreSQL on this directory. The message says why and what to do. */
export class PostgresUserError extends Error {
  override name = 'PostgresUserError';
}

/** What `chooseRunAs` reads of the machine; tests replace it. */
export interface Machine {
  euid: number | undefined;
  sudoUid: string | undefined;
  passwd: string;
}

/** The machine as it is. */
export function thisMachine(): Machine {
  return {
    euid: process.geteuid?.(),
    sudoUid: process.env['SUDO_UID'],
    passwd: existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '',
  };
}

/**
 * Chooses the user for the cluster in `clusterDir` (below `dataDir`; need not exist yet).
 * PostgreSQL refuses to run as root, so root takes the owner of an existing cluster, else the user behind `sudo`,
 * else the account `postgres`, else `nobody`. Where that user cannot reach the directory or the programs, say below
 * a home directory of mode 0700, it gets the one capability that lets it pass (setpriv of util-linux).
 * Throws `PostgresUserError` when nothing works.
 */
export function chooseRunAs(
  paths: { dataDir: string; clusterDir: string; program: string },
  logger: Logger,
  machine: Machine = thisMachine(),
): RunAs {
  const owner = existsSync(paths.clusterDir) ? statSync(paths.clusterDir) : undefined;
  if (machine.euid !== 0) {
    if (owner !== undefined && machine.euid !== undefined && owner.uid !== machine.euid) {
      throw new PostgresUserError(
        `${paths.clusterDir} belongs to user ${String(owner.uid)}, but this process runs as user ` +
          `${String(machine.euid)}: start it as the same user as before, or set another DATA_DIR`,
      );
    }
    return { command: (program, args) => [program, [...args]], spawnOptions: {} };
  }
  const account = accountFor(owner, machine);
  if (owner?.uid === 0)
    execFileSync('chown', ['-R', `${String(account.uid)}:${String(account.gid)}`, paths.clusterDir]);
  const candidates = [
    plain(account),
    ...['dac_read_search', 'dac_override'].map((name) => withCapability(account, name)),
  ];
  const reasons: string[] = [];
  for (const candidate of candidates) {
    const reason = probe(candidate, paths);
    if (reason === undefined) {
      logger.debug(
        { ...account, command: candidate.command('postgres', []) },
        'running PostgreSQL as an unprivileged user',
      );
      return candidate;
    }
    reasons.push(reason);
  }
  throw new PostgresUserError(
    `PostgreSQL must not run as root, and user ${String(account.uid)} cannot reach ${paths.dataDir} or ` +
      `${paths.program}: start the service as an ordinary user, move DATA_DIR and the project out of directories ` +
      `that only root may enter, or set DATABASE_URL (tried: ${reasons.join('; ')})`,
  );
}

/** Gives a file to the account that PostgreSQL runs under; nothing to do when that is ourselves. */
export function giveTo(runAs: RunAs, path: string): void {
  if (runAs.account !== undefined) chownSync(path, runAs.account.uid, runAs.account.gid);
}

function accountFor(owner: Account | undefined, machine: Machine): Account {
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const accounts = machine.passwd.split('\n').map((line) => {
    const [name, , uid, gid] = line.split(':');
    return { name, uid: Number(uid), gid: Number(gid) };
  });
  const usable = accounts.filter(
    ({ uid, gid }) => Number.isInteger(uid) && uid > 0 && uid < 2 ** 31 && Number.isInteger(gid),
  );
  const found =
    usable.find(({ uid }) => String(uid) === machine.sudoUid) ??
    usable.find(({ name }) => name === 'postgres' || name === '_postgres') ??
    usable.find(({ name }) => name === 'nobody');
  if (found === undefined) {
    throw new PostgresUserError(
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
  const prefix = [
    `--reuid=${String(account.uid)}`,
    `--regid=${String(account.gid)}`,
    '--clear-groups',
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
    // PostgreSQL checks its own programs with access(2), which drops the capabilities of a user other than root
    // unless this bit is set: without it initdb ends with "invalid binary … Permission denied".
    '--securebits=+no_setuid_fixup',
    '--',
  ];
  return {
    account,
    command: (program, args) => ['setpriv', [...prefix, program, ...args]],
    spawnOptions: {},
  };
}

// Tries the real thing, because mount options, capabilities missing in a container and old versions of setpriv
// cannot be foreseen. Returns why it does not work.
function probe(runAs: RunAs, paths: { dataDir: string; program: string }): string | undefined {
  const script = 'cd "$1" && test -x "$2" && "$2" --version';
  const [command, args] = runAs.command('/bin/sh', ['-c', script, 'sh', paths.dataDir, paths.program]);
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...runAs.spawnOptions,
    cwd: '/',
    env: childEnvironment(),
    encoding: 'utf8',
    timeout: 5_000,
  });
  // PostgreSQL that is not allowed to look at its own program says so, and its version all the same.
  if (status === 0 && stdout.startsWith('postgres') && !stderr.includes('invalid binary')) return undefined;
  const words = [error?.message, stderr, stdout]
    .map((text) => (text ?? '').trim())
    .find((text) => text !== '');
  return `${command}: ${(words ?? `status ${String(status)}`).slice(0, 200)}`;
}
