/** Bounds that the reading methods share. */

/**
 * Largest request of a reading method: twice the largest valid one (texts and labels of a filter
 * in four-byte characters, and a page token). Checking the rules costs by the byte.
 */
export const READ_MESSAGE_BYTES_MAX = 64 * 1024;
