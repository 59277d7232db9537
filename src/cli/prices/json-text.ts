/** Reads JSON without turning its numbers into floating-point numbers. */

/** A number as it stands in the file. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** JavaScript's own, which TypeScript's library does not declare yet. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** Parses JSON; each number becomes a {@link NumberText}. Throws a SyntaxError. */
export function parseJsonText(text: string): unknown {
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' ? new NumberText(source ?? '') : value,
  );
}
