/** Undoes gzip and zstd, and names what is no text at all. */

import { pipeline, Readable, type Duplex } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { readHead } from './head.ts';

/** A file may be compressed twice, by a program and by the web server that it was loaded from. */
const LAYERS_MAX = 3;
/** As much as the marks of the formats below need. */
const HEAD_BYTES = 1024;

const DECOMPRESSORS: readonly (readonly [name: string, mark: string, create: () => Duplex])[] = [
  ['gzip', '1f8b', createGunzip],
  ['zstd', '28b52ffd', createZstdDecompress],
];

const UNPACK = 'unpack it and import the file that is in it';
const SAVE = 'save it as CSV (UTF-8)';

/** What else people have: the bytes at an offset, what they mean, and what to do. */
const FOREIGN: readonly (readonly [offset: number, mark: string, what: string, advice: string])[] = [
  [0, 'PK\x03\x04', 'a zip archive', UNPACK],
  [0, 'BZh', 'compressed with bzip2', 'run bunzip2 first'],
  [0, '\xfd7zXZ', 'compressed with xz', 'run unxz first'],
  [0, '\x04\x22\x4d\x18', 'compressed with lz4', 'run unlz4 first'],
  [0, '7z\xbc\xaf', 'a 7-Zip archive', UNPACK],
  [0, 'Rar!', 'a RAR archive', UNPACK],
  [257, 'ustar', 'a tar archive', UNPACK],
  [0, '\xd0\xcf\x11\xe0', 'an Excel or Office file', SAVE],
  [0, 'PAR1', 'a Parquet file', 'write it as CSV or NDJSON, for example with DuckDB'],
  [0, 'ARROW1', 'an Arrow file', 'write it as CSV or NDJSON, for example with DuckDB'],
  [0, 'ORC', 'an ORC file', 'write it as CSV or NDJSON, for example with DuckDB'],
  [0, 'Obj\x01', 'an Avro file', 'write it as CSV or NDJSON'],
  [
    0,
    'SQLite format 3\0',
    'an SQLite database',
    'write its table as CSV: sqlite3 -header -csv FILE "SELECT …"',
  ],
  [0, 'PGDMP', 'a PostgreSQL dump', 'write its table as CSV: \\copy TABLE TO usage.csv CSV HEADER'],
  [0, '%PDF', 'a PDF document', 'export the usage as CSV'],
];

/**
 * Decompresses a stream, whatever its name, with bounded memory. Rejects with an Error if it is of a format
 * that the importer does not read. The bytes of a broken archive end with an Error that has a `code`. What was
 * noticed is added to `notes`.
 */
export async function decompress(
  source: AsyncIterable<Buffer>,
  notes: string[],
): Promise<AsyncIterable<Buffer>> {
  let { head, bytes } = await readHead(source, HEAD_BYTES);
  for (let layer = 0; ; layer += 1) {
    const found = DECOMPRESSORS.find(([, mark]) => head.toString('hex', 0, 8).startsWith(mark));
    if (!found) break;
    const [name, , create] = found;
    if (layer === LAYERS_MAX) throw new Error(`the file is compressed more than ${LAYERS_MAX} times`);
    notes.push(`compressed with ${name}`);
    ({ head, bytes } = await readHead(decompressed(bytes, name, create()), HEAD_BYTES));
  }
  refuseForeign(head);
  return bytes;
}

async function* decompressed(
  bytes: AsyncIterable<Buffer>,
  name: string,
  unzip: Duplex,
): AsyncGenerator<Buffer> {
  // The callback is told of every error, and so is who reads.
  pipeline(Readable.from(bytes, { objectMode: false }), unzip, () => undefined);
  try {
    yield* unzip as AsyncIterable<Buffer>;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z') !== true) throw error;
    throw Object.assign(new Error(`the ${name} archive is damaged or incomplete: ${message}`), { code });
  }
}

function refuseForeign(head: Buffer): void {
  const text = head.toString('latin1');
  if (text.startsWith('PK\x03\x04') && /\[Content_Types\]\.xml|xl\/|opendocument\.spreadsheet/.test(text))
    throw new Error(`the file is a spreadsheet, not text: ${SAVE}`);
  for (const [offset, mark, what, advice] of FOREIGN) {
    if (text.startsWith(mark, offset)) throw new Error(`the file is ${what}, not text: ${advice}`);
  }
  const markup = /^[\s\xef\xbb\xbf]*<(?:!doctype (html)|(html)|\?xml)/i.exec(text);
  if (markup) {
    const what = (markup[1] ?? markup[2]) ? 'a web page, perhaps of a login' : 'XML';
    throw new Error(`the file is ${what}: export the usage as CSV or JSON`);
  }
}
