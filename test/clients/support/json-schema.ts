/** The few keywords of JSON Schema that docs/asyncapi.yaml uses; it must not use others. */

/** A schema, or a reference to one in the same document. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: 'object' | 'string' | 'array' | 'integer' | 'boolean';
  readonly items?: Schema;
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly format?: 'uuid' | 'date-time';
}

const KEYWORDS = new Set(
  '$ref type items description required properties additionalProperties const enum pattern format'.split(' '),
);
const FORMATS = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
};

/** What a reference in the document points to. Throws when there is nothing. */
export function resolve(document: object, ref: string): unknown {
  let found: unknown = document;
  for (const key of ref.replace(/^#\//, '').split('/'))
    found = (found as Record<string, unknown> | undefined)?.[key];
  if (found === undefined) throw new Error(`${ref} points to nothing`);
  return found;
}

/** What of a value a schema does not allow or does not document. Throws for a keyword that it does not know. */
export function violations(document: object, schema: Schema, value: unknown, path = ''): string[] {
  if (schema.$ref !== undefined) {
    return violations(document, resolve(document, schema.$ref) as Schema, value, path);
  }
  const unknown = Object.keys(schema).filter((keyword) => !KEYWORDS.has(keyword));
  if (unknown.length > 0) throw new Error(`${path}: this check does not know ${unknown.join(', ')}`);
  if (schema.type === 'string') return textViolations(schema, value, path);
  if (schema.type === 'integer') return Number.isInteger(value) ? [] : [`${path} is no integer`];
  if (schema.type === 'boolean') return typeof value === 'boolean' ? [] : [`${path} is no boolean`];
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return [`${path} is no array`];
    const items = schema.items ?? {};
    return value.flatMap((one, index) => violations(document, items, one, `${path}[${index}]`));
  }
  if (schema.type !== 'object') throw new Error(`${path}: a schema without a type`);
  if (typeof value !== 'object' || value === null) return [`${path} is no object`];
  const missing = (schema.required ?? []).filter((key) => !(key in value));
  return [
    ...missing.map((key) => `${path}.${key} is missing`),
    ...Object.entries(value).flatMap(([key, one]) => {
      const property = schema.properties?.[key] ?? schema.additionalProperties;
      const at = `${path}.${key}`;
      return property === undefined ? [`${at} is not documented`] : violations(document, property, one, at);
    }),
  ];
}

function textViolations(schema: Schema, value: unknown, path: string): string[] {
  if (typeof value !== 'string') return [`${path} is no text`];
  const allowed =
    (schema.const === undefined || value === schema.const) &&
    (schema.enum?.includes(value) ?? true) &&
    (schema.pattern === undefined || new RegExp(schema.pattern).test(value)) &&
    (schema.format === undefined || FORMATS[schema.format].test(value));
  return allowed ? [] : [`${path} is ${value}`];
}
