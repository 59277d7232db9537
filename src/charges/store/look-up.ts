/** How a statement finds rows by the values of a unique key. */

/**
 * For FROM: the rows of `:tenant` whose `column` has one of `:values`, under the name of the table.
 *
 * Each value is looked up in the unique index. `(SELECT …)` hides the tenant from the planner: if it knows the tenant
 * and has counted none of its rows, because they are newer than the last ANALYZE, it takes any index that begins
 * with the tenant and reads all of them. With `IN`, it would compare many look-ups with one scan of a tenant of
 * average size, and tenants are not of average size. OFFSET 0 keeps it from turning the look-ups into a join, for
 * which it would do the same.
 */
export function lookUp(table: string, column: string, type: 'uuid' | 'text'): string {
  return `unnest(:values::${type}[]) AS wanted (value)
     CROSS JOIN LATERAL (
       SELECT * FROM ${table}
       WHERE tenant = (SELECT :tenant::text) AND ${column} = wanted.value OFFSET 0
     ) AS ${table}`;
}
