import { PORTALS } from '../../examples/portals/definitions.ts';
import { startPortal } from '../../examples/portals/portal.ts';
import type { House } from '../app.ts';
import type { Config } from '../config/schema.ts';
import { parseIdNumber } from '../people/id-number.ts';
import { SAMPLE_PEOPLE } from '../proofing/sample-population-register.ts';
import type { HomeDemo } from '../web/home.ts';
import { MAILBOX_PAGE } from '../web/mailbox.ts';
import { demoCompanies, prepareDemoCompanies } from './demo-companies.ts';

/** Who can sign in to a demonstration. The numbers are synthetic: no such district exists. */
const DEMO_PEOPLE = SAMPLE_PEOPLE.slice(0, 3);
export const DEMO_PASSWORD = 'one-login-for-all';

export const demoView = ({ messenger }: Config): HomeDemo => ({
  people: DEMO_PEOPLE,
  password: DEMO_PASSWORD,
  ...(messenger === 'mailbox' ? { mailboxUrl: MAILBOX_PAGE } : {}),
});

/** Opens the accounts of the demo people and enters their companies, once per data folder. */
export async function prepareDemo(house: House): Promise<void> {
  const { persons, passwords } = house;
  for (const { idNumber, name } of DEMO_PEOPLE) {
    const parsed = parseIdNumber(idNumber);
    if (!parsed.ok || (await persons.findByIdNumber(parsed.number))) continue;
    const prepared = await passwords.prepare(DEMO_PASSWORD);
    if (prepared === 'busy') throw new Error('the demo accounts could not be prepared');
    await persons.add({ idNumber: parsed.number, name, ial: 2, origin: 'demo' }, (tx, person) =>
      passwords.store(tx, person.id, prepared, 'demo'),
    );
  }
  await prepareDemoCompanies(house);
}

export interface Demonstration {
  readonly urls: readonly { readonly name: string; readonly url: string }[];
  close(): Promise<void>;
}

/** Registers the sample portals with a new secret each, and starts them beside the server. */
export async function startDemoPortals({ config, relyingParties }: House): Promise<Demonstration> {
  const running: { readonly name: string; readonly url: string; close(): Promise<void> }[] = [];
  const urls = config.demo.ports.map((port) => `http://localhost:${port}`);
  try {
    for (const [at, definition] of PORTALS.entries()) {
      const url = urls[at];
      const port = config.demo.ports[at];
      if (url === undefined || port === undefined) break;
      const secret = await register(relyingParties, { ...definition.registration(url), client_uri: url });
      const siblingUrl = urls[(at + 1) % urls.length];
      const portal = await startPortal({
        definition,
        issuer: config.issuer,
        clientId: definition.clientId,
        clientSecret: secret,
        port,
        publicUrl: url,
        ...(siblingUrl === undefined ? {} : { siblingUrl }),
      });
      running.push({ name: `${definition.nameZh} ${definition.nameEn}`, url, close: portal.close });
    }
  } catch (error) {
    for (const portal of running) await portal.close();
    throw error;
  }
  return {
    urls: running,
    async close() {
      for (const portal of running) await portal.close();
    },
  };
}

async function register(
  relyingParties: House['relyingParties'],
  record: { readonly client_id: string; readonly client_uri: string },
): Promise<string> {
  const known = await relyingParties.inspect(record.client_id);
  const outcome = known
    ? await relyingParties.update(record.client_id, record, 'demo')
    : await relyingParties.add(record, 'demo');
  if (!outcome.ok) throw new Error(outcome.faults.map(({ field, reason }) => `${field} ${reason}`).join('; '));
  if (outcome.secret !== undefined) return outcome.secret;
  // Only the digest is kept, so a portal that starts again gets a new secret.
  const rotated = await relyingParties.rotateSecret(record.client_id, 'demo');
  if (!rotated.ok) throw new Error(`the sample portal ${record.client_id} has no secret`);
  return rotated.secret;
}

/** The one calm box: where to click, who can sign in, where data lies, how to start over. */
export function welcome(config: Config, portals: Demonstration['urls']): string {
  const lines = [
    '通办 Tongban ID · demonstration',
    '',
    'Open a portal, sign in once, then open the other:',
    ...portals.map(({ name, url }) => `  ${url}   ${name}`),
    `  ${config.issuer}   一网通办 start page and account`,
    '',
    'Who can sign in (synthetic numbers):',
    ...DEMO_PEOPLE.map(({ idNumber, name }) => `  ${idNumber}   ${name}`),
    `Password of all three:  ${DEMO_PASSWORD}`,
    '',
    'Their companies (synthetic codes; the first waits to be claimed by 王小明):',
    ...demoCompanies().map(({ uscc, name }) => `  ${uscc}   ${name}`),
    '',
    `Data: ${config.dataDir}`,
    'Start over: stop with Ctrl+C and remove that folder.',
  ];
  const width = Math.max(...lines.map(columns)) + 4;
  const rule = '─'.repeat(width);
  const body = lines.map((line) => `│  ${line}${' '.repeat(width - columns(line) - 2)}│`);
  return `┌${rule}┐\n${body.join('\n')}\n└${rule}┘\n`;
}

/** Columns of a terminal: Chinese characters take two. */
const columns = (text: string): number =>
  Array.from(text).reduce(
    (sum, character) => sum + (/[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]/u.test(character) ? 2 : 1),
    0,
  );
