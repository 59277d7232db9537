/**
 * Labels as a JSON object in text, and back. `JSON.parse` must not read the keys: the V8 of Node 24 takes a key with an
 * escape for a key that it has seen before, if that one has the same characters as the escaped text. After
 * `{"a":"","\\":""}` it reads `{"a":"","\"":""}` as if the key were a backslash.
 */

const TEXT = '"(?:[^"\\\\]|\\\\.)*"';
const TEXTS = new RegExp(TEXT, 'g');
const OBJECT = new RegExp(`^\\s*\\{(?:\\s*${TEXT}\\s*:\\s*${TEXT}\\s*(?:,(?=\\s*")|(?=\\})))*\\s*\\}\\s*$`);
/** No text of JSON has a quote that is not escaped, so this is the member and nothing inside a text. */
const MEMBER = new RegExp(`"labels"\\s*:\\s*(\\{(?:\\s*${TEXT}\\s*[:,]?)*\\s*\\})`);

/** Empty: there are none. */
export function labelText(labels: ReadonlyMap<string, string>): string {
  return labels.size === 0 ? '' : JSON.stringify(Object.fromEntries(labels.entries()));
}

/** Reads {@link labelText}. Throws an Error if it is not an object of texts. */
export function readLabelText(json: string): Map<string, string> {
  if (!OBJECT.test(json)) throw new Error('is not a JSON object of texts');
  const texts = (json.match(TEXTS) ?? []).map((text) => JSON.parse(text) as string);
  return new Map(texts.flatMap((key, index) => (index % 2 === 0 ? [[key, texts[index + 1] ?? '']] : [])));
}

/** The text of the member `labels` of a JSON object. Undefined: it has none that holds only texts. */
export function labelMember(json: string): string | undefined {
  return MEMBER.exec(json)?.[1];
}
