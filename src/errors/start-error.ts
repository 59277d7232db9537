/** The start cannot go on, and the message says why and what to do. Its stack would help nobody and is not logged. */
export class StartError extends Error {
  override name = 'StartError';
}
