/** Pages of lists. */

/** Items of a page if the caller does not say how many, and at most. */
const PAGE_SIZE_DEFAULT = 100;
const PAGE_SIZE_MAX = 1000;

/** How many items the page may have. */
export function pageSizeOf({ pageSize }: { readonly pageSize: number }): number {
  return Math.min(pageSize || PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
}
