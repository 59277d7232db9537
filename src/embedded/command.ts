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
}

/**
 * Runs a program without a shell and waits for its end. Throws `CommandError` when it cannot be started, ends
 * with another status than 0, or is killed after `timeoutMs`; its children are killed with it.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { timeoutMs, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...spawnOptions,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let output = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      // A group of its own (detached), so that a compiler started by `go install` ends too.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout = (stdout + chunk).slice(-outputCharsMax);
      output = (output + chunk).slice(-outputCharsMax);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-outputCharsMax);
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new CommandError(`${command} cannot be started: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
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
