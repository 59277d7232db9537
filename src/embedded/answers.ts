/** Whether a server still answers at all: what tells one that hangs from one that is busy. */
import { connect } from 'node:net';

/**
 * PostgreSQL's SSLRequest, of 8 bytes. It is answered with one byte by a fresh process, before any limit of
 * connections, password or recovery matters.
 */
export const postgresHello = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/**
 * Connects to a port of 127.0.0.1, sends `hello`, and waits for the first byte. Resolves to false only if nothing
 * happens within `timeoutMs`. A refused connection is an answer too: the server is ending, or this process has no
 * file descriptor left, and neither means that the server hangs.
 */
export function answersOn(port: number, hello: Buffer, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const settle = (answered: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(() => settle(false), timeoutMs);
    socket.once('connect', () => socket.write(hello));
    socket.once('data', () => settle(true));
    socket.on('error', () => settle(true));
    socket.once('close', () => settle(true));
  });
}
