import type { LedgerEvent } from '../ledger/ledger.ts';
import { isOpenAccount, STAFF_ROLES, type StaffMember, type StaffRole, staffIn } from '../people/staff.ts';
import { mayDo, type StaffAction } from '../people/staff-powers.ts';
import { Fault } from '../shared/fault.ts';
import type { Connection } from '../storage/database.ts';

/** What a command line does, and whether the command itself keeps who acts. */
interface Act {
  readonly action: StaffAction;
  readonly keepsBy?: true;
}

const act = (action: StaffAction): Act => ({ action });
const named = (action: StaffAction): Act => ({ action, keepsBy: true });

/** By the first words of a line, the longest that fits. What is not here nobody does where members of staff are named. */
const ACTS: Readonly<Record<string, Act>> = {
  'client list': act('portals.read'),
  'client show': act('portals.read'),
  'client add': act('portals.change'),
  'client disable': act('portals.change'),
  'client enable': act('portals.change'),
  'client rotate-secret': act('portals.change'),
  'person show': act('people.read'),
  'person document list': act('people.read'),
  'person identifier list': act('people.read'),
  'person merge show': act('people.read'),
  'person closure show': act('people.read'),
  'person consents': act('people.read'),
  'person add': act('people.serve'),
  'person enrol': act('people.serve'),
  'person document': act('people.serve'),
  'person identifier': act('people.serve'),
  'person disable': act('people.shut'),
  'person enable': act('people.shut'),
  'person unfreeze': act('people.shut'),
  'person merge': act('people.shut'),
  'person closure': act('people.shut'),
  'person recheck': act('house.run'),
  'company show': act('people.read'),
  'company list': act('people.read'),
  'company uses': act('people.read'),
  'company claims': act('people.read'),
  'company mandates': act('people.read'),
  'company review list': act('people.read'),
  'company review show': act('people.read'),
  'company review approve': named('claims.judge'),
  'company review reject': named('claims.judge'),
  'company review evidence': named('claims.judge'),
  'company mandates import': act('people.serve'),
  'company add': act('people.serve'),
  'company recheck': act('people.serve'),
  'company appoint': act('people.serve'),
  'company dismiss': act('people.serve'),
  'company suspend': act('people.shut'),
  'company resume': act('people.shut'),
  'mandate list': act('people.read'),
  'mandate show': act('people.read'),
  mandate: act('people.serve'),
  'factor tokens': act('house.run'),
  'factor list': act('people.read'),
  'factor remove': act('factors.remove'),
  'staff list': act('staff.read'),
  staff: act('staff.change'),
  'keys list': act('keys.read'),
  'keys reseal': act('house.run'),
  'keys rotate': act('keys.change'),
  'keys retire': act('keys.change'),
  'rows check': act('house.run'),
  'rows seal': act('keys.change'),
  'incident list': act('incidents.read'),
  'incident show': act('incidents.read'),
  incident: named('incidents.handle'),
  feed: act('house.run'),
  logout: act('house.run'),
  backup: act('house.run'),
  demo: act('house.run'),
  'audit verify': act('ledger.verify'),
  'audit key': act('ledger.verify'),
  'audit search': act('ledger.read'),
  'audit export': act('ledger.read'),
  'audit prove': act('ledger.read'),
  'audit report': act('ledger.read'),
  'audit erase': named('ledger.erase'),
  'audit prune list': act('ledger.read'),
  'audit prune': named('ledger.prune'),
};

const WORDS_MAX = 3;

/** A command line as it was typed, without the name of the program. */
export interface Line {
  readonly command: string;
  readonly args: readonly string[];
}

/** What a line does. Undefined where no words of it are known. Pure. */
export function actOf({ command, args }: Line): Act | undefined {
  const options = args.findIndex((word) => word.startsWith('-'));
  const words = [command, ...(options === -1 ? args : args.slice(0, options))].slice(0, WORDS_MAX);
  for (let count = words.length; count > 0; count -= 1) {
    const key = words.slice(0, count).join(' ');
    if (Object.hasOwn(ACTS, key)) return ACTS[key];
  }
  return undefined;
}

export type ActingRefusal = 'nobody' | 'unknown' | 'account' | 'role' | 'command';

export type Acting =
  /** Nobody holds the role `security` yet: whoever may open the house acts, under the account of the machine. */
  | { readonly state: 'unasked'; readonly args: readonly string[] }
  | { readonly state: 'acts'; readonly args: readonly string[]; readonly member: StaffMember }
  | { readonly state: 'refused'; readonly reason: ActingRefusal; readonly member?: StaffMember };

/**
 * Who acts with this line, and whether they may. A member is named by `--by` with their id, or by the account of the machine that is
 * theirs; where they have one they act under no other. Pure.
 */
export function actingIn(line: Line, members: readonly StaffMember[], account: string): Acting {
  const active = members.filter(({ status }) => status === 'active');
  const { by, rest } = byIn(line.args);
  if (!active.some(({ role }) => role === 'security')) return { state: 'unasked', args: line.args };
  const isQuestion = line.args.length === 0 || HELP.has(line.args[0]!);
  if (isQuestion) return { state: 'unasked', args: line.args };
  const member = active.find((one) => (by === undefined ? one.account === account : one.personId === by));
  if (member === undefined) return { state: 'refused', reason: by === undefined ? 'nobody' : 'unknown' };
  if (member.account !== undefined && member.account !== account)
    return { state: 'refused', reason: 'account', member };
  const known = actOf(line);
  if (known === undefined) return { state: 'refused', reason: 'command', member };
  if (!mayDo(member.role, known.action)) return { state: 'refused', reason: 'role', member };
  return { state: 'acts', member, args: known.keepsBy ? [...rest, '--by', member.personId] : rest };
}

const HELP: ReadonlySet<string> = new Set(['help', '--help', '-h']);

/** Takes `--by NAME` or `--by=NAME` out of a line. */
export function byIn(args: readonly string[]): { readonly by: string | undefined; readonly rest: readonly string[] } {
  const at = args.findIndex((word) => word === '--by' || word.startsWith('--by='));
  if (at === -1) return { by: undefined, rest: args };
  const isApart = args[at] === '--by';
  const by = isApart ? args[at + 1] : args[at]!.slice('--by='.length);
  return { by: by ?? '', rest: [...args.slice(0, at), ...args.slice(at + (isApart ? 2 : 1))] };
}

const rolesFor = (action: StaffAction): readonly StaffRole[] => STAFF_ROLES.filter((role) => mayDo(role, action));

/** What whoever typed the line is told. */
export function refusalText(line: Line, reason: ActingRefusal): string {
  const roles = actOf(line) && rolesFor(actOf(line)!.action).join(' or ');
  switch (reason) {
    case 'nobody':
      return 'Say who acts: --by with the id of a member of staff (tongban staff list --by ...).';
    case 'unknown':
      return '--by names no active member of staff.';
    case 'account':
      return 'This member of staff acts under another account of this machine.';
    case 'role':
      return `This is done by members of staff with the role ${roles}.`;
    case 'command':
      return 'No member of staff does this, or it is no command.';
  }
}

/** Whether the command keeps who acts by itself. Pure. */
export const keepsBy = (line: Line): boolean => actOf(line)?.keepsBy === true;

/** The entry of a command that was not carried out. */
export const refusalEvent = (line: Line, { reason, member }: Extract<Acting, { state: 'refused' }>): LedgerEvent => ({
  type: 'staff.refused',
  outcome: 'failure',
  personId: member?.personId,
  details: { action: actOf(line)?.action ?? 'none', reason, ...(member === undefined ? {} : { role: member.role }) },
});

/**
 * Looks up who acts while the house is being opened, so that every entry of the command names them: the account of the machine, and the
 * member of staff with the role they act in.
 */
export function actingOffice(line: Line, account: string) {
  let found: Acting | undefined;
  return {
    async operatorIn(connection: Connection): Promise<string> {
      const members: StaffMember[] = [];
      // Whoever may not sign in gives no commands either.
      for (const member of await staffIn(connection)) {
        if (await isOpenAccount(connection, member.personId)) members.push(member);
      }
      found = actingIn(line, members, account);
      const member = found.state === 'unasked' ? undefined : found.member;
      return member === undefined ? account : `${account}/${member.personId}/${member.role}`;
    },
    /** Throws where the house was not opened by it. */
    acting(): Acting {
      if (found === undefined) throw new Fault('internal', 'nobody has asked who acts');
      return found;
    },
  };
}
