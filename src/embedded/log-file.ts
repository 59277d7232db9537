/** The log file of an embedded server: bounded in size, readable by its owner only, quoted in start errors. */
import { closeSync, existsSync, openSync, readSync, renameSync, statSync } from 'node:fs';

const rotateBytesMin = 16 * 1024 * 1024;
const tailBytesMax = 4_096;
const tailLinesMax = 20;

/** An open log file and where this run's part of it begins. */
export interface LogFile {
  /** For the child's standard output and error; the opener closes it after the spawn. */
  descriptor: number;
  /** Length before this run, in bytes: where `tailOfLog` starts. */
  startBytes: number;
}

/**
 * Opens a log file for appending, mode 0600. One that grew beyond 16 MiB is first moved to `<path>.1`,
 * replacing the one before.
 */
export function openLogFile(path: string): LogFile {
  if (existsSync(path) && statSync(path).size > rotateBytesMin) renameSync(path, `${path}.1`);
  const descriptor = openSync(path, 'a', 0o600);
  return { descriptor, startBytes: statSync(path).size };
}

/** The last lines that were written behind `startBytes`: at most 20 lines and 4 KiB; empty when nothing can be read. */
export function tailOfLog(path: string, startBytes: number): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const size = statSync(path).size;
    const from = Math.max(startBytes, size - tailBytesMax);
    const buffer = Buffer.alloc(Math.max(0, size - from));
    const length = readSync(descriptor, buffer, 0, buffer.length, from);
    return buffer.toString('utf8', 0, length).trimEnd().split('\n').slice(-tailLinesMax).join('\n');
  } catch {
    return '';
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
