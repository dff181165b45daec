import { readFileSync, writeFileSync } from 'node:fs';
import { renderPolicies } from '../config/policies.ts';
import { EVENTS } from '../ledger/events.ts';
import { FAULTS } from '../shared/faults.ts';
import { renderCapacity } from './capacity-book.ts';

const EXIT_USAGE = 2;

export const BOOKS = ['faults', 'events', 'policies', 'capacity'] as const;
export type Book = (typeof BOOKS)[number];

export const USAGE = `Usage: tongban docs faults|events|policies|capacity [--write]
  prints the reference of all faults, ledger events, policies or what a province needs, or writes it to docs/
`;

const documentOf = (book: Book): URL => new URL(`../../docs/${book}.md`, import.meta.url);

/** How a book is made again after its catalogue changed. */
export const regenerateCommand = (book: Book): string => `npm run -s tongban -- docs ${book} --write`;

const row = (...cells: readonly (string | number)[]): string =>
  `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;

const FAULT_GROUPS: readonly (readonly [from: number, title: string])[] = [
  [1000, 'The request itself'],
  [1100, 'The sign-in'],
  [1200, 'What the server depends on'],
  [1300, 'Portals'],
  [1400, 'People and whom they act for'],
  [1900, 'The server itself'],
];

function faults(): string {
  const groups = FAULT_GROUPS.map(([from, title], at) => {
    const until = FAULT_GROUPS[at + 1]?.[0] ?? Number.POSITIVE_INFINITY;
    const members = Object.entries(FAULTS)
      .filter(([, { number }]) => number >= from && number < until)
      .sort(([, left], [, right]) => left.number - right.number);
    const texts = members.map(
      ([code, { number, status, oauth, zh, en, operator }]) =>
        `### ${number} \`${code}\`\n\nHTTP ${status}, portals read \`${oauth}\`.\n\n- 用户看到：${zh}\n- The citizen reads: ${en}\n- For the operator: ${operator}\n`,
    );
    return `## ${title}\n\n${texts.join('\n')}`;
  });
  return `# Faults

<!-- Rendered from src/shared/faults.ts; do not edit. Regenerate: ${regenerateCommand('faults')} -->

A page that stops somebody shows a number and a request id. The number is an entry below; the log has the cause under the request
id. No number is ever used twice. 页面上的“错误编号”对应下面的条目，“请求编号”可在日志中查到原因。

${groups.join('\n')}`;
}

function events(): string {
  const rows = Object.entries(EVENTS)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([type, { means, details, severity, clause, ocsf }]) => {
      const members = Object.entries(details).map(([name, kind]) => `\`${name}\`${kind === 'personal' ? ' *' : ''}`);
      return row(
        `\`${type}\``,
        means,
        members.join(', ') || 'none',
        severity,
        clause,
        `${ocsf.classUid}/${ocsf.activityId}`,
      );
    });
  return `# Ledger events

<!-- Rendered from src/ledger/events.ts; do not edit. Regenerate: ${regenerateCommand('events')} -->

Every change of state writes its event in the same database transaction as the change. Each event has a time, a type and an
outcome, and, where they apply, the person, the portal, the session, the address of the caller and the request id. \`Details\` are
the members of \`data\` it may carry beside these. Passwords, codes, tokens and identity numbers are never among them.

When one address causes many failures, the first ten are entries of their own; further ones are counted, and \`repeated\` and
\`since\` say how many and from when.

Details marked * and the address and browser of a person are personal: the entry holds a salted commitment, and what opens it is
sealed under a key of the person it concerns. \`Clause\` is the requirement of GB/T 22239-2019, level 3, that the event is evidence
for; \`OCSF\` is class and activity in the Open Cybersecurity Schema Framework.

${[row('Event', 'Meaning', 'Details', 'Severity', 'Clause', 'OCSF'), row('-', '-', '-', '-', '-', '-'), ...rows].join('\n')}
`;
}

const RENDERED: Readonly<Record<Book, () => string>> = {
  faults,
  events,
  policies: renderPolicies,
  capacity: () => renderCapacity(regenerateCommand('capacity')),
};

/** The text of docs/faults.md and the other books, rendered from what the code holds. */
export const renderBook = (book: Book): string => RENDERED[book]();

/** The book as it is written down. */
export const readBook = (book: Book): string => readFileSync(documentOf(book), 'utf8');

/** `tongban docs ...`. Resolves with the exit code: 0 done, 2 not understood. */
export async function run([name, ...options]: readonly string[]): Promise<number> {
  const book = BOOKS.find((known) => known === name);
  const write = options.length === 1 && options[0] === '--write';
  if (book === undefined || (options.length > 0 && !write)) {
    process.stderr.write(USAGE);
    return EXIT_USAGE;
  }
  if (write) writeFileSync(documentOf(book), renderBook(book));
  else process.stdout.write(renderBook(book));
  return 0;
}
