/** Looks at the beginning of a stream without taking it away from who reads the stream. */

/** The first bytes of a stream, and the whole stream, these bytes included. */
export interface Head {
  readonly head: Buffer;
  readonly bytes: AsyncIterable<Buffer>;
}

/** Reads at least `length` bytes, or up to the end. Errors of `source` pass through. */
export async function readHead(source: AsyncIterable<Buffer>, length: number): Promise<Head> {
  const rest = source[Symbol.asyncIterator]();
  const parts: Buffer[] = [];
  let size = 0;
  while (size < length) {
    const part = await rest.next();
    if (part.done) break;
    parts.push(part.value);
    size += part.value.length;
  }
  return { head: Buffer.concat(parts, size), bytes: chain(parts, rest) };
}

/** The items that were read ahead, then the others. */
export async function* chain<T>(ahead: readonly T[], rest: AsyncIterator<T>): AsyncGenerator<T> {
  yield* ahead;
  yield* { [Symbol.asyncIterator]: () => rest };
}
