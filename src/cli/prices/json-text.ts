/** Reads JSON without turning its numbers into floating-point numbers. */

/** JavaScript's own, which TypeScript's library does not declare yet. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** Parses JSON; numbers, or those that are not `kept`, become the text in the file. Throws a SyntaxError. */
export function parseJsonText(text: string, kept: (number: number) => boolean = () => false): unknown {
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' && !kept(value) ? source : value,
  );
}
