/**
 * The text of a statement that compares a column with one value or several: `= $n`, or `IN ($n, ...)`. `first` is the number of the first
 * parameter, behind all others. Made once for each count, because texts are prepared once: the caller has few counts, such as the number of keys
 * not yet retired.
 */
export function oneOf(textWith: (list: string) => string, first: number): (values: number) => string {
  const texts = new Map<number, string>();
  return (values) => {
    let text = texts.get(values);
    if (text === undefined) {
      const list = Array.from({ length: values }, (_, n) => `$${first + n}`).join(', ');
      text = textWith(values === 1 ? `= $${first}` : `IN (${list})`);
      texts.set(values, text);
    }
    return text;
  };
}
