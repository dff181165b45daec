/** The text for a problem by its code; a family such as `password_` has one for what it does not name, `other` is for the rest. */
export function problemTextOf(texts: Readonly<Record<string, string>>, code: string): string {
  const family = /^(id_number|password|code)_/.exec(code)?.[1] ?? 'other';
  const name = Object.hasOwn(texts, code) ? code : Object.hasOwn(texts, family) ? family : 'other';
  return texts[name] ?? '';
}
