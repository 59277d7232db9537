/** One logger per process: JSON lines, or readable lines on a terminal. */

import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

import type { LogLevel } from '../config.ts';

export type { Logger };

/** The part of a logger that the kits use, so that a test can pass its own. */
export interface BasicLogger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** Keys whose values could be secret; they are never printed. */
const SECRET_KEYS = ['password', 'databaseUrl', 'migrationDatabaseUrl', 'natsUrl'];
const SECRETS = SECRET_KEYS.flatMap((key) => [key, `*.${key}`]);

/**
 * Logs to stdout: one JSON object a line, or coloured text on a terminal. `name` tells the processes of
 * one service apart.
 */
export function createLogger(level: LogLevel, name: string): Logger {
  const stream: DestinationStream = process.stdout.isTTY
    ? pretty({ ignore: 'process,name', translateTime: 'SYS:HH:MM:ss.l', sync: true })
    : pino.destination({ dest: 1, sync: true });
  return pino({ level, name, base: { process: process.pid }, redact: SECRETS }, stream);
}
