import type { House } from '../src/app.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { ledgerEntries } from '../test/support/ledger.ts';
import type { DrillReport } from './drill-report.ts';
import { runCommand } from './server-process.ts';
import { boughtTwice, type Flow, lostSessions } from './two-node-load.ts';
import type { Node } from './two-nodes.ts';

/** Codes that are tried once more: the newest, as each is a request. */
export const SPENT_MAX = 500;

/**
 * Holds what was acknowledged against what is there: every session leads on at `askedOf.sessions`, no spent code buys tokens at `askedOf.codes`.
 * To be called when the load has ended.
 */
export async function reportKept(
  report: DrillReport,
  flows: readonly Flow[],
  askedOf: { readonly sessions: Node; readonly codes: Node },
): Promise<void> {
  const kept = flows.flatMap(({ browser }) => browser ?? []);
  const lost = await lostSessions(askedOf.sessions, kept);
  report.expect(lost === 0, `${lost} of ${kept.length} sessions lost, with their consents`);
  const spent = flows.flatMap(({ code }) => code ?? []).slice(-SPENT_MAX);
  const twice = await boughtTwice(askedOf.codes, spent);
  report.expect(twice === 0, `${twice} of ${spent.length} spent codes bought tokens again`);
}

/** How many sign-ins that came to their tokens the ledger knows nothing of; `identifiers` are those of the people of the load, in order. */
export async function eventsMissing(
  { database, persons }: House,
  flows: readonly Flow[],
  identifiers: readonly string[],
): Promise<number> {
  const told = new Map<string, number>();
  for (const { actor, subject } of await ledgerEntries(database, 'sign-in.succeeded')) {
    const person = subject ?? actor;
    told.set(person, (told.get(person) ?? 0) + 1);
  }
  let missing = 0;
  for (const [person, identifier] of identifiers.entries()) {
    const parsed = parseIdNumber(identifier);
    const found = parsed.ok ? await persons.findByIdNumber(parsed.number) : undefined;
    const acknowledged = flows.filter((flow) => flow.person === person && flow.code !== undefined).length;
    missing += Math.max(0, acknowledged - (told.get(found?.id ?? '') ?? 0));
  }
  return missing;
}

/** What `tongban audit verify --live` has to complain of in the configured store; empty when the ledger verifies. */
export function ledgerComplaint(env: Readonly<Record<string, string>>, more: readonly string[] = []): Promise<string> {
  return runCommand(['src/main.js', 'audit', 'verify', '--live', '--json', ...more], env).then(
    () => '',
    (error: unknown) => String(error),
  );
}
