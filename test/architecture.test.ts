import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import test from 'ava';

const ROOT = join(import.meta.dirname, '..');
const LINES_MAX = 300;

/**
 * Who may import whom, from the ground up. A room that is not named here may not exist. `storage`, `crypto` and the domain
 * stand in one line; `web` is the low shell of all pages.
 */
const GROUND = ['shared', 'config'];
const DOMAIN = [
  'storage',
  'crypto',
  'defence',
  'ledger',
  'delivery',
  'people',
  'legal-persons',
  'factors',
  'proofing',
  'relying-parties',
] as const;
const PAGES_STAND_ON = [...GROUND, ...DOMAIN, 'web'] as const;
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  config: ['shared'],
  storage: GROUND,
  // How any service outside is asked: circuit, places, deadline, one JSON text for another.
  calling: ['shared'],
  // A key may be held by a signature server.
  crypto: [...GROUND, 'storage', 'calling'],
  ledger: [...GROUND, 'storage', 'crypto'],
  // Judges who comes and from where, and keeps nothing of people but counts.
  defence: [...GROUND, 'storage', 'crypto'],
  // Requests to a register are signed and its answers verified; storage and everything else stay out of reach.
  proofing: ['shared', 'calling', 'crypto'],
  delivery: [...GROUND, 'storage', 'crypto', 'ledger'],
  people: [...GROUND, 'storage', 'crypto', 'defence', 'ledger', 'delivery', 'proofing'],
  'legal-persons': [...GROUND, 'storage', 'crypto', 'ledger', 'delivery', 'proofing', 'people'],
  factors: [...GROUND, 'storage', 'crypto', 'ledger', 'defence'],
  'relying-parties': [...GROUND, 'storage', 'crypto', 'ledger'],
  web: [...GROUND, 'storage', 'crypto', 'defence', 'ledger', 'people', 'legal-persons', 'factors', 'relying-parties'],
  'sign-in': PAGES_STAND_ON,
  'account-centre': PAGES_STAND_ON,
  monitoring: [...GROUND, 'calling', ...DOMAIN],
  // Processes of one server on one machine; what they serve is handed to them.
  workers: GROUND,
  oidc: [
    ...GROUND,
    'storage',
    'crypto',
    'defence',
    'ledger',
    'delivery',
    'people',
    'legal-persons',
    'relying-parties',
    'web',
    'sign-in',
  ],
};

/** The composition root and the doors to it may import everything. */
const isComposition = (file: string): boolean =>
  /^src\/(app|engine-sources|serve|main)\.ts$|^src\/[a-z]+-doors\.ts$/.test(file) || file.startsWith('src/commands/');

interface Source {
  readonly file: string;
  readonly text: string;
  /** Import specifiers as written, and those of our own files as paths from the root. */
  readonly packages: readonly string[];
  readonly ours: readonly string[];
  /** Our own files needed at run time: what a circle would be made of. */
  readonly needed: readonly string[];
}

const IMPORT = /^(?:import|export)\s(?:[^'"]*?\sfrom\s)?'([^']+)'|\bimport\('([^']+)'\)/gm;

/** The imports of one file: a pattern over lines is enough because the formatter keeps every import in one shape. */
function read(file: string): Source {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const all = [...text.matchAll(IMPORT)].map(([line, fixed, late]) => ({
    to: fixed ?? late ?? '',
    atLoad: fixed !== undefined && !/^(import|export) type\s/.test(line),
  }));
  const resolved = (to: string): string => normalize(join(dirname(file), to));
  return {
    file,
    text,
    packages: all.filter(({ to }) => !to.startsWith('.')).map(({ to }) => to),
    ours: all.filter(({ to }) => to.startsWith('.')).map(({ to }) => resolved(to)),
    needed: all.filter(({ to, atLoad }) => to.startsWith('.') && atLoad).map(({ to }) => resolved(to)),
  };
}

const SOURCES: readonly Source[] = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => read(relative(ROOT, join(ROOT, 'src', name))))
  .sort((left, right) => left.file.localeCompare(right.file));

const roomOf = (file: string): string => file.split('/')[1] ?? '';

/** Comments may speak of what code may not do. */
const codeOf = ({ text }: Source): string => text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\/\/.*$/gm, '');

const filesWith = (pattern: RegExp): readonly string[] =>
  SOURCES.filter((source) => pattern.test(codeOf(source))).map(({ file }) => file);

test('every room imports only rooms below it', (t) => {
  const breaches = SOURCES.filter(({ file }) => !isComposition(file)).flatMap(({ file, ours }) => {
    const allowed = FLOORS[roomOf(file)];
    if (allowed === undefined) return [`${file} stands in a room without a floor`];
    return ours
      .filter((to) => roomOf(to) !== roomOf(file) && !(to.startsWith('src/') && allowed.includes(roomOf(to))))
      .map((to) => `${file} imports ${to}`);
  });
  t.deepEqual(breaches, []);
});

test('the test sees the imports: files are found, and all that is imported exists', (t) => {
  t.true(SOURCES.length > 80);
  const links = SOURCES.flatMap(({ file, ours }) => ours.map((to) => ({ file, to })));
  t.true(links.length > 250, `${links.length} imports read`);
  t.deepEqual(
    links.filter(({ to }) => !existsSync(join(ROOT, to))),
    [],
  );
  const statements = SOURCES.flatMap(({ text }) => text.match(/^import\b|^export\b[^\n]*\bfrom '|\bimport\('/gm) ?? []);
  const read = SOURCES.flatMap(({ ours, packages }) => [...ours, ...packages]);
  t.is(read.length, statements.length, 'no import escapes the pattern');
});

test('oidc-provider is imported in src/oidc alone, and its inside nowhere', (t) => {
  const importers = SOURCES.filter(({ packages }) => packages.some((name) => /^oidc-provider(\/|$)/.test(name)));
  t.deepEqual(
    importers.map(({ file }) => file).filter((file) => roomOf(file) !== 'oidc'),
    [],
  );
  t.deepEqual(
    SOURCES.filter(({ packages }) => packages.some((name) => name.startsWith('oidc-provider/'))).map(
      ({ file }) => file,
    ),
    [],
  );
  t.true(importers.length > 0);
});

test('the domain knows no web framework', (t) => {
  const domain: readonly string[] = DOMAIN;
  const breaches = SOURCES.filter(
    ({ file, packages }) => domain.includes(roomOf(file)) && packages.some((name) => /^(koa|@koa\/.*)$/.test(name)),
  );
  t.deepEqual(
    breaches.map(({ file }) => file),
    [],
  );
});

/** What comes next in a sign-in, decided without a page: the protocol asks the same functions as the pages. */
const POLICY = ['ceremony', 'ladder', 'levels', 'statement'].map((name) => `src/sign-in/${name}.ts`);

test('oidc takes the door of the sign-in as types, and its policy, which knows no page', (t) => {
  const links = SOURCES.filter(({ file }) => roomOf(file) === 'oidc').flatMap(({ ours, needed }) =>
    ours.filter((to) => roomOf(to) === 'sign-in').map((to) => ({ to, needed: needed.includes(to) })),
  );
  const beyond = links.filter(
    ({ to, needed }) => !POLICY.includes(to) && (to !== 'src/sign-in/interactions.ts' || needed),
  );
  t.deepEqual(beyond, []);
  const ofPolicy = SOURCES.filter(({ file }) => POLICY.includes(file));
  t.is(ofPolicy.length, POLICY.length);
  t.deepEqual(
    ofPolicy.flatMap(({ packages }) => packages),
    [],
  );
  const rooms = new Set(ofPolicy.flatMap(({ ours }) => ours.map(roomOf)));
  t.deepEqual([...rooms].sort(), ['factors', 'proofing', 'shared', 'sign-in']);
});

test('the environment is read in one file, the clock and the random source in one room', (t) => {
  t.deepEqual(filesWith(/\bprocess\.env\b/), ['src/config/load.ts']);
  t.deepEqual(
    filesWith(/\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bperformance\.now\b/).filter(
      (file) => roomOf(file) !== 'shared',
    ),
    [],
  );
});

test('V61 no page leads back to wherever a browser says it came from', (t) => {
  t.deepEqual(filesWith(/\.back\(|redirect\(\s*['"`]back|\bget\(\s*['"`]referr?er\b|\breferr?er\b.*headers/i), []);
});

test('R7 ciphers are called in one file, and the implementations in JavaScript nowhere', (t) => {
  t.deepEqual(filesWith(/\bcreate(?:Dec|C)ipheriv\b/), ['src/crypto/sm4.ts']);
  t.deepEqual(
    SOURCES.filter(({ packages }) => packages.some((name) => /^sm-crypto|^gm-crypto|sm4/.test(name))),
    [],
  );
});

test('nothing inherits from an object that a request has made: to V8 each such object has a shape of its own', (t) => {
  t.deepEqual(filesWith(/Object\.create\((?!null\b|Object\.getPrototypeOf\()/), []);
});

test('no imports go in a circle', (t) => {
  const graph = new Map(SOURCES.map(({ file, needed }) => [file, needed]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (done.has(file) || path.includes(file)) return;
    for (const to of graph.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  t.deepEqual(circles, []);
});

test('files stay small, and none only passes on what others export', (t) => {
  const long = SOURCES.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX).map(({ file }) => file);
  t.deepEqual(long, []);
  t.deepEqual(
    SOURCES.filter(({ file, text }) => /\/index\.ts$/.test(file) || /^export \* from/m.test(text)).map(
      ({ file }) => file,
    ),
    [],
  );
  t.deepEqual(
    SOURCES.filter(({ file }) => /\/(utils?|helpers?)(\/|\.ts$)/.test(file)).map(({ file }) => file),
    [],
  );
});

/** Everything of ours that may speak of documents: sources, tests, templates, documents, scripts. */
const FOLDERS = ['src', 'test', 'bench', 'examples', 'views', 'docs', 'config', 'certs', '.ci', '.'];
const TEXTS: readonly { readonly file: string; readonly text: string }[] = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: folder !== '.', withFileTypes: true })
    .filter((entry) => entry.isFile() && /(\.(ts|js|eta|md|sh|json|ya?ml)|^run|^Dockerfile)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith('package-lock')),
).map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }));

test('every link between the documents leads to a file', (t) => {
  const links = TEXTS.filter(({ file }) => file.endsWith('.md')).flatMap(({ file, text }) =>
    [...text.matchAll(/(?:\]\(|\bsrc=")([^)"#\s]+)/g)]
      .map(([, to]) => ({ file, to: to ?? '' }))
      .filter(({ to }) => to !== '' && !/^[a-z]+:/.test(to)),
  );
  t.true(links.length > 30, `${links.length} links read`);
  t.deepEqual(
    links.filter(({ file, to }) => !existsSync(join(ROOT, dirname(file), to))),
    [],
  );
});

test('no file speaks of a document that is not part of the project', (t) => {
  const names = TEXTS.flatMap(({ file, text }) =>
    [...text.matchAll(/(?<![\w./${}-])(?:\.{0,2}\/)*([\w-][\w./-]*\.md)\b/g)].map(([, name]) => ({
      file,
      name: name ?? '',
    })),
  );
  t.true(names.length > 40, `${names.length} names read`);
  const exists = ({ file, name }: { readonly file: string; readonly name: string }): boolean =>
    ['', 'docs', dirname(file)].some((folder) => existsSync(join(ROOT, folder, name)));
  t.deepEqual(
    names.filter((mention) => !exists(mention)),
    [],
  );
});

test('every requirement that code or tests cite is explained once, and none is explained that nobody cites', (t) => {
  const book = readFileSync(join(ROOT, 'docs/requirements.md'), 'utf8');
  const explained = [...book.matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, id]) => id ?? '');
  const cited = TEXTS.filter(({ file }) => /^(src|test|bench)\/.*\.ts$/.test(file)).flatMap(({ text }) =>
    [...text.matchAll(/\b[A-HLPRSVX]\d{1,2}\b/g)].map(([id]) => id),
  );
  t.is(new Set(explained).size, explained.length);
  const [told, used] = [new Set(explained), new Set(cited)];
  t.deepEqual([...used.difference(told)].sort(), [], 'cited and not explained');
  t.deepEqual([...told.difference(used)].sort(), [], 'explained and not cited');
});
