/** Asking a nats-server program for its version. */
import { runCommand } from './command.ts';
import { childEnvironment } from './process.ts';

/** The oldest version that this service works with: Debian 12 has 2.9.10. */
export const natsVersionMin = { major: 2, minor: 9 } as const;

const versionTimeoutMs = 10_000;

/**
 * Runs `<binary> --version` and returns the number, such as `2.12.15`. Throws when the program cannot be run,
 * or says something else, and the reason of `signal` once that is aborted.
 */
export async function natsVersionOf(binary: string, signal?: AbortSignal): Promise<string> {
  const { stdout } = await runCommand(binary, ['--version'], {
    timeoutMs: versionTimeoutMs,
    env: childEnvironment(),
    signal,
  });
  const version = /^nats-server: v(\d+\.\d+\.\d+\S*)/m.exec(stdout)?.[1];
  if (version === undefined)
    throw new Error(`${binary} --version says ${JSON.stringify(stdout.slice(0, 100))}`);
  return version;
}

/** Whether a version such as `2.12.15` is at least `major.minor`. */
export function versionAtLeast(version: string, major: number, minor: number): boolean {
  const [actualMajor = 0, actualMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return actualMajor > major || (actualMajor === major && actualMinor >= minor);
}
