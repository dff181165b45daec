/** One sample of a scrape. */
export interface ScrapedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Scrape {
  readonly samples: readonly ScrapedSample[];
  /** The kind of each metric, by name. */
  readonly types: ReadonlyMap<string, string>;
  /** The value under exactly these labels; undefined when there is no such line. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/gy;

/** Reads the text exposition format 0.0.4 strictly: throws on any line it does not know. */
export function parseExposition(text: string): Scrape {
  const types = new Map<string, string>();
  const samples: ScrapedSample[] = [];
  for (const line of text.split('\n').filter((found) => found !== '')) {
    const [, typed, type] = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line) ?? [];
    if (typed !== undefined && type !== undefined) types.set(typed, type);
    else if (!line.startsWith('# HELP ')) samples.push(parseSample(line));
  }
  const value: Scrape['value'] = (name, labels = {}) =>
    samples.find((sample) => sample.name === name && sameLabels(sample.labels, labels))?.value;
  return { samples, types, value };
}

function parseSample(line: string): ScrapedSample {
  const [, name, labelText = '', value] = LINE.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not a sample: ${line}`);
  const pairs = [...labelText.matchAll(LABEL)];
  if (pairs.map(([whole]) => whole).join('') !== labelText) throw new Error(`odd labels: ${line}`);
  return { name, labels: Object.fromEntries(pairs.map(([, key, text]) => [key, text])), value: numberOf(value) };
}

const numberOf = (text: string): number => (text === 'Nan' ? Number.NaN : Number(text.replace('Inf', 'Infinity')));

const sameLabels = (left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean =>
  Object.keys(left).length === Object.keys(right).length &&
  Object.entries(left).every(([name, value]) => right[name] === value);
