import { parseArgs } from 'node:util';
import type { House } from '../app.ts';
import { consentHistory, noticeText } from '../oidc/consent-records.ts';
import { runNightlyJob } from '../storage/nightly-job.ts';
import type { ExitCode } from './person-words.ts';

export const LIFE_USAGE = `tongban person merge show --id ID [--json]         accounts that were merged into this one, or that it went over into
tongban person merge --undo MERGE [--json]         takes a merge back, while that is possible
tongban person closure show --id ID [--json]       whether an account is being closed, and when
tongban person closure --run [--json]              shreds what is due now, beside a running server
tongban person consents --id ID [--notice HASH] [--json]
    what the person agreed to and took back; with --notice the words behind a hash
`;

export interface LifeContext {
  readonly house: Pick<House, 'database' | 'merges' | 'closures' | 'lifeJobs' | 'persons'>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** The first words these actions begin with. */
export const LIFE_WORDS: ReadonlySet<string> = new Set(['merge', 'closure', 'consents']);

const OPTIONS = {
  id: { type: 'string' },
  undo: { type: 'string' },
  run: { type: 'boolean' },
  notice: { type: 'string' },
  json: { type: 'boolean' },
} as const;

const ASKED = { origin: 'command' } as const;
const CONSENTS_MAX = 10_000;

type Line = Readonly<Record<string, unknown>>;
type Answer = readonly Line[] | { readonly refusal: string } | 'usage';

/** `tongban person merge|closure|consents`. */
export async function runLife(args: readonly string[], { house, stdout, stderr }: LifeContext): Promise<ExitCode> {
  const asked = understood(args);
  const answer = asked === undefined ? 'usage' : await answerTo(asked, house);
  if (answer === 'usage') {
    stderr.write(LIFE_USAGE);
    return 2;
  }
  if ('refusal' in answer) {
    stderr.write(`${answer.refusal}\n`);
    return 1;
  }
  stdout.write(asked?.values.json === true ? `${JSON.stringify(answer)}\n` : table(answer));
  return 0;
}

function understood(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch {
    return undefined;
  }
}

async function answerTo(
  { positionals, values }: NonNullable<ReturnType<typeof understood>>,
  house: LifeContext['house'],
): Promise<Answer> {
  const { id, undo, run, notice } = values;
  switch (positionals.join(' ')) {
    case 'merge show':
      return id === undefined ? 'usage' : (await house.merges.of(id)).map((merge) => ({ ...merge }));
    case 'merge':
      return undo === undefined ? 'usage' : undone(undo, house);
    case 'closure show': {
      const closure = id === undefined ? undefined : await house.closures.of(id);
      if (closure === undefined) return id === undefined ? 'usage' : { refusal: 'This account is not being closed.' };
      return [{ id, ...closure }];
    }
    case 'closure':
      return run === true ? ran(house) : 'usage';
    case 'consents': {
      if (notice !== undefined) {
        const text = await noticeText(house.database, notice);
        return text === undefined ? { refusal: 'There is no notice of this hash.' } : [{ notice, text }];
      }
      if (id === undefined) return 'usage';
      return (await consentHistory(house.database, id, CONSENTS_MAX)).map((record) => ({ ...record }));
    }
    default:
      return 'usage';
  }
}

async function undone(mergeId: string, { merges }: LifeContext['house']): Promise<Answer> {
  const outcome = await merges.undo(mergeId, ASKED);
  return outcome.ok
    ? [{ ...outcome }]
    : { refusal: `The merge was not undone (${outcome.reason}); nothing was changed.` };
}

async function ran({ database, lifeJobs }: LifeContext['house']): Promise<Answer> {
  const lines: Line[] = [];
  for (const job of lifeJobs) lines.push({ job: job.name, outcome: await runNightlyJob({ database, job }) });
  return lines;
}

const table = (lines: readonly Line[]): string =>
  lines
    .map((line) =>
      Object.entries(line)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name.padEnd(16)}${Array.isArray(value) ? value.join(' ') : String(value)}\n`)
        .join(''),
    )
    .join('\n');
