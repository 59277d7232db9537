/** Runs a helper program to its end, bounded in time and output. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Options of `runCommand`. Setting `uid` and `gid` needs root. */
export interface CommandOptions {
  timeoutMs: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  /** Ends the program and its children. */
  signal?: AbortSignal | undefined;
}

const outputCharsMax = 8_192;
const quotedCharsMax = 600;

/**
 * Runs a program without a shell and returns its standard output (the last 8 KiB). Throws if the program cannot be
 * started, fails, or runs longer than `timeoutMs`; the message ends with what the program wrote last. After an abort
 * of `signal` it throws the signal's reason. In all cases the program and its children have ended by then.
 *
 * `execFile` of Node would kill the program only. The children of `go install` and `initdb` would go on.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  { timeoutMs, signal, ...options }: CommandOptions,
): Promise<string> {
  signal?.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any(signal === undefined ? [timeout] : [timeout, signal]);
  // Detached: the program leads a process group, and one signal reaches all of the group.
  const child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => killGroup(child.pid);
  stop.addEventListener('abort', kill);
  let stdout = '';
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout = (stdout + chunk).slice(-outputCharsMax);
    output = (output + chunk).slice(-outputCharsMax);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    output = (output + chunk).slice(-outputCharsMax);
  });
  try {
    const [code, exitSignal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    signal?.throwIfAborted();
    if (code === 0) return stdout;
    const end = timeout.aborted ? `took longer than ${timeoutMs} ms` : `ended with ${exitSignal ?? code}`;
    throw new Error(`${command} ${end}: ${output.trim().slice(-quotedCharsMax)}`);
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && syscall?.startsWith('spawn')) throw new Error(`${command} was not found`);
    throw error;
  } finally {
    stop.removeEventListener('abort', kill);
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // The group has ended, and only its output is not read to the end. macOS says EPERM in this case.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ESRCH', 'EPERM'].includes(code)) throw error;
  }
}
