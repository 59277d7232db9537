/** SQL of what the rows of the generated book are made of. */

/** Charges in one entry of the journal. */
export const GROUP = 64;

/** Seeds of the hashes. */
export const SEED = { time: 1, charge: 2, amounts: 3, session: 4, sessionMore: 5, fate: 7, delay: 8 };

/** A hash of 64 bits. */
export const hash = (number: string, seed: number): string => `hashint8extended(${number}, ${seed})`;
/** From 0 inclusive to 1 exclusive: one of three numbers that a hash has. */
export const random = (hashed: string, part: 0 | 1 | 2): string =>
  `(((${hashed}) >> ${part * 20} & 1048575) / 1048576.0::float8)`;

/** An id as the service makes them, UUIDv7, but always the same for `number` and `salt`. */
export const idOf = (time: string, number: string, salt = ''): string =>
  `(lpad(to_hex((extract(epoch FROM ${time}) * 1000)::bigint), 12, '0') || '7' ||
    lpad(to_hex(${number} & 4095), 3, '0') || '8' || substr(md5('${salt}' || ${number}), 1, 15))::uuid`;

/** When the charge `number` of a row of `book_hour` was created, to the millisecond. */
export const createTime = (number: string): string =>
  `date_trunc('milliseconds', book_hour.start +
    (${number} - book_hour.first + ${random(hash(number, SEED.time), 0)}) / (book_hour.last - book_hour.first + 1)
      * interval '1 hour')`;
