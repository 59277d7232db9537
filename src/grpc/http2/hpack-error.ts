/** A header block that is none: compression state is shared by all of a connection, which is lost then. */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}
