/** What JSON leaves as it is and a terminal, a log viewer or a line reader may obey: DEL and the controls above it, line separators, marks of direction, BOM. */
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** JSON (RFC 8259) on one line, in which nothing invisible stands unescaped. Lone surrogates are escaped as well. */
export const jsonText = (value: unknown): string => JSON.stringify(value).replaceAll(UNSAFE, escaped);

/** An object without a prototype, so that no member name means anything to the language. */
export interface Tree {
  [member: string]: unknown;
}

const emptyTree = (): Tree => Object.create(null) as Tree;

/** Puts a value where a dotted path leads. What stands in the way is replaced. */
function plant(tree: Tree, path: string, value: unknown): void {
  const parts = path.split('.');
  const last = parts.pop() ?? path;
  let at = tree;
  for (const part of parts) {
    const below = at[part];
    const next = typeof below === 'object' && below !== null && !Array.isArray(below) ? (below as Tree) : emptyTree();
    at[part] = next;
    at = next;
  }
  at[last] = value;
}

/** Nested objects from fields with dotted names; later ones win. */
export function nestedObject(fields: Iterable<readonly [path: string, value: unknown, ...unknown[]]>): Tree {
  const tree = emptyTree();
  for (const [path, value] of fields) if (value !== undefined) plant(tree, path, value);
  return tree;
}
