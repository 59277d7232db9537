/** The commands of a page of documentation with their outputs, run and compared as they are printed. */

/** A command of a `console` block. */
export interface ConsoleCommand {
  readonly command: string;
  /** The lines that follow it. A line `...` stands for any number of lines, `…` for any text. */
  readonly output: readonly string[];
}

/** The commands of a page, in order. */
export function readConsoleBlocks(markdown: string): ConsoleCommand[] {
  return [...markdown.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [command = '', ...output] = text.trimEnd().split('\n');
        return { command, output };
      }),
  );
}

/** A UUID, or the digits of an API key's id or of a pseudonym. */
const ID = /\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16})\b/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** Compares what was printed with the page. Times may differ; so may ids, each always standing for the same one. */
export class PrintedIds {
  /** Of the page, and what they were when the commands ran. */
  readonly #ids = new Map<string, string>();

  /** A text of the page with the ids of this run. */
  fill(text: string): string {
    return text.replace(ID, (id) => this.#ids.get(id) ?? id);
  }

  /** Whether these lines are those of the page. Remembers the ids that the page shows for the first time. */
  matches(expected: readonly string[], printed: readonly string[]): boolean {
    const groups: string[] = [];
    const idPattern = (id: string): string => {
      const known = this.#ids.get(id);
      if (known !== undefined) return known;
      const group = groups.indexOf(id);
      if (group >= 0) return `\\${group + 1}`;
      groups.push(id);
      return `(${ID.source})`;
    };
    // Where a time ends with zeros, a table has a narrower column.
    const hasTimes = expected.some((line) => line.search(TIME) >= 0);
    const blanks = hasTimes ? ' {2,}' : '$&';
    const source = expected.map((line) =>
      line.trim() === '...' ? '(?:[^\n]*\n)*?' : `${patternOf(line, idPattern).replace(/ {2,}/g, blanks)}\n`,
    );
    const found = new RegExp(`^${source.join('')}$`).exec(printed.map((line) => `${line}\n`).join(''));
    for (const [index, id] of groups.entries()) this.#ids.set(id, found?.[index + 1] ?? id);
    return found !== null;
  }
}

function patternOf(line: string, idPattern: (id: string) => string): string {
  return line
    .split(TIME)
    .map((text) =>
      text
        .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
        .replaceAll('…', '[^\n]*')
        .replace(ID, idPattern),
    )
    .join(TIME.source);
}
