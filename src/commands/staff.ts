import { parseArgs } from 'node:util';
import type { House } from '../app.ts';
import { STAFF_ROLES, type StaffOutcome, type StaffRole } from '../people/staff.ts';

export interface StaffCommandContext {
  readonly house: Pick<House, 'sessionEnds' | 'staff'>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

export const USAGE = `Usage:
  tongban staff add PERSON --role ROLE    make a person a member of staff
  tongban staff list                      who they are
  tongban staff role PERSON --role ROLE   give them another role in place of the one they hold
  tongban staff disable PERSON            shut them out of everything for staff; their sessions end
  tongban staff enable PERSON
  tongban staff account PERSON (--account NAME | --none)
                                          under which account of this machine they give commands, and no other
  Each takes --json. ROLE is one of ${STAFF_ROLES.join(', ')}; nobody holds two.
`;

const ORIGIN = 'command';
const WORDS = {
  done: 'Done.',
  same: 'Nothing changed: it is so already.',
  unknown: 'There is no such person, or they are no member of staff.',
  taken: 'That account of the machine is another member’s.',
} as const satisfies Record<StaffOutcome, string>;

/** `tongban staff ...`. Resolves with the exit code: 0 done, 1 refused, 2 not understood. */
export async function run(args: readonly string[], { house, stdout, stderr }: StaffCommandContext): Promise<number> {
  const line = read(args);
  if (line === undefined) {
    stderr.write(USAGE);
    return 2;
  }
  if (line.verb === 'list') {
    const members = await house.staff.list();
    const text = members
      .map(
        ({ personId, role, status, account }) =>
          `${[personId, role, status, ...(account ? [account] : [])].join('  ')}\n`,
      )
      .join('');
    stdout.write(line.json ? `${JSON.stringify(members)}\n` : text || 'There are no members of staff.\n');
    return 0;
  }
  const outcome = await change(line, house);
  const said = line.json ? JSON.stringify({ outcome }) : WORDS[outcome];
  (outcome === 'done' || line.json ? stdout : stderr).write(`${said}\n`);
  return outcome === 'done' ? 0 : 1;
}

interface Line {
  readonly verb: 'add' | 'list' | 'role' | 'disable' | 'enable' | 'account';
  readonly personId: string;
  /** Given with `add` and `role`. */
  readonly role: StaffRole;
  /** Given with `account`, but for `--none`. */
  readonly account: string | undefined;
  readonly json: boolean;
}

const VERBS: ReadonlySet<string> = new Set(['add', 'list', 'role', 'disable', 'enable', 'account']);
/** As systems let accounts be called. */
const ACCOUNT = /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$/;

function read(args: readonly string[]): Line | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        role: { type: 'string' },
        account: { type: 'string' },
        none: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      allowPositionals: true,
    });
    const [verb = '', personId = ''] = positionals;
    const role = STAFF_ROLES.find((one) => one === values.role);
    const wantsRole = verb === 'add' || verb === 'role';
    const isWhole = positionals.length === (verb === 'list' ? 1 : 2);
    if (!VERBS.has(verb) || !isWhole || wantsRole !== (role !== undefined)) return undefined;
    if (!wantsRole && values.role !== undefined) return undefined;
    const { account } = values;
    const saysAccount = account !== undefined ? ACCOUNT.test(account) && values.none !== true : values.none === true;
    if ((verb === 'account') !== saysAccount || (account !== undefined && !saysAccount)) return undefined;
    return { verb: verb as Line['verb'], personId, role: role as StaffRole, account, json: values.json === true };
  } catch {
    return undefined;
  }
}

async function change(
  { verb, personId, role, account }: Line,
  { staff, sessionEnds }: StaffCommandContext['house'],
): Promise<StaffOutcome> {
  if (verb === 'add') return staff.add(personId, role, ORIGIN);
  if (verb === 'role') return staff.setRole(personId, role, ORIGIN);
  if (verb === 'account') return staff.setAccount(personId, account, ORIGIN);
  const outcome = await staff.setStatus(personId, verb === 'enable' ? 'active' : 'disabled', ORIGIN);
  if (verb === 'disable' && outcome !== 'unknown') await sessionEnds.endAll(personId, 'staff_disabled');
  return outcome;
}
