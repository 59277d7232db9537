/** What every subcommand shares: exit statuses, faults of the command line, and flags with their rules. */

/** Exit statuses, the same for every subcommand. After a signal: 130 (SIGINT) or 143 (SIGTERM). */
export const EXIT = {
  ok: 0,
  /** The command ran to its end, but not everything was accepted. */
  rejected: 1,
  /** Wrong flags or an unusable file. Nothing was sent. */
  usage: 2,
  /** The command did not run to its end, for example because the service cannot be reached. */
  failed: 3,
} as const;

/** Runs a subcommand: it gets the signal of Ctrl-C and SIGTERM and returns the exit status. */
export type RunCommand = (command: (interrupt: AbortSignal) => Promise<number>) => Promise<void>;

/** The command line or a file that it names asks for something impossible. Exit status 2. */
export class UsageError extends Error {
  override name = 'UsageError';
  /** Everything that is wrong, each as one line. */
  readonly faults: readonly string[];

  /** More for `--json`. */
  details: object = {};

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** Reads a whole number from 1 to `max`. */
export function readNumber(flag: string, text: string, max: number, faults: string[]): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > max)
    faults.push(`${flag}: expected a whole number from 1 to ${max}, not ${text}`);
  return number;
}

/** Throws a {@link UsageError} if there are faults. */
export function throwFaults(faults: readonly string[]): void {
  if (faults.length > 0) throw new UsageError(faults);
}
