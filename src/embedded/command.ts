/** Running a helper program to its end, bounded in time and output. */
import { spawn } from 'node:child_process';

/** What a finished command wrote: standard output alone, and both streams together (last 8 KiB each). */
export interface CommandResult {
  stdout: string;
  output: string;
}

/** A command that could not be started, failed, or ran longer than allowed. The message carries its last words. */
export class CommandError extends Error {
  override name = 'CommandError';
}

const outputCharsMax = 8_192;
const quotedCharsMax = 600;

/** Options of `runCommand`. `uid` and `gid` need root. */
export interface CommandOptions {
  timeoutMs: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  /** Ends the program and its children. */
  signal?: AbortSignal | undefined;
}

/**
 * Runs a program without a shell and waits for its end. Throws `CommandError` when it cannot be started, ends
 * with another status than 0, or is killed after `timeoutMs`; its children are killed with it. Once `signal` is
 * aborted, all of them are killed too, and it throws the signal's reason when their output has ended.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { timeoutMs, signal: stopping, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    stopping?.throwIfAborted();
    const child = spawn(command, args, {
      ...spawnOptions,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let output = '';
    let timedOut = false;
    // A group of its own (detached), so that a compiler started by `go install` ends too.
    const kill = (): void => {
      if (child.pid !== undefined) killGroup(child.pid);
    };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, timeoutMs);
    stopping?.addEventListener('abort', kill);
    const settle = (): void => {
      clearTimeout(timer);
      stopping?.removeEventListener('abort', kill);
    };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout = (stdout + chunk).slice(-outputCharsMax);
      output = (output + chunk).slice(-outputCharsMax);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-outputCharsMax);
    });
    child.once('error', (error) => {
      settle();
      reject(new CommandError(`${command} cannot be started: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      settle();
      if (stopping?.aborted === true) {
        reject(stopping.reason as Error);
        return;
      }
      if (code === 0) {
        resolve({ stdout, output });
        return;
      }
      const end = timedOut
        ? `took longer than ${String(timeoutMs)} ms`
        : `ended with ${String(signal ?? code)}`;
      const words = output.trim().slice(-quotedCharsMax);
      reject(new CommandError(`${command} ${end}${words === '' ? '' : `: ${words}`}`));
    });
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // Its programs have ended, and what they wrote is not read to the end yet; macOS says EPERM then.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ESRCH', 'EPERM'].includes(code)) throw error;
  }
}
