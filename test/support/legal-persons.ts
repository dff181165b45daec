import { createBlindIndex } from '../../src/crypto/blind-index.ts';
import type { EndedActing } from '../../src/legal-persons/acting.ts';
import { createActingEnds } from '../../src/legal-persons/acting-ends.ts';
import { createActing } from '../../src/legal-persons/acting-subjects.ts';
import type { AgentChoice } from '../../src/legal-persons/agents.ts';
import { createCompanies } from '../../src/legal-persons/companies.ts';
import { createLegalPersons } from '../../src/legal-persons/legal-persons.ts';
import type { AgentGrant } from '../../src/legal-persons/mandate-grants.ts';
import { createMandates } from '../../src/legal-persons/mandates.ts';
import { createMatters } from '../../src/legal-persons/matters.ts';
import type { LegalNotice } from '../../src/legal-persons/notices.ts';
import { createPosts } from '../../src/legal-persons/posts.ts';
import { parseUscc, type Uscc } from '../../src/legal-persons/uscc.ts';
import { parseDocument } from '../../src/people/documents/parse.ts';
import { createSampleLegalPersonRegister } from '../../src/proofing/sample-legal-person-register.ts';
import type { Database } from '../../src/storage/database.ts';
import { createMemoryCounters } from '../../src/storage/memory-counters.ts';
import { testLedger } from './ledger.ts';
import { addPerson, idNumberOf, SEALER, testPersons } from './people.ts';

/** Sample people, by what they are in these tests. */
export const PEOPLE = {
  representative: { idNumber: '339900199001011014', name: '王小明' },
  owner: { idNumber: '33990019850701009X', name: '李思远' },
  agent: { idNumber: '449900200002290028', name: '陈雨桐' },
  administrator: { idNumber: '339900199203170021', name: '赵雅琴' },
  carrier: { idNumber: '339900197809230034', name: '周建国' },
  elder: { idNumber: '449900195604190098', name: '何桂芳' },
  stranger: { idNumber: '339900199906300064', name: '孙丽' },
} as const;
export type Role = keyof typeof PEOPLE;

export const COMPANY = { uscc: '91339900MA9X01014C', name: '示例数字科技有限公司' } as const;
export const SHOP = { uscc: '92339900MA9X010224', name: '示例市思远咖啡馆' } as const;
export const CARRIER = { uscc: '91339900MA9X010302', name: '示例远航物流有限公司' } as const;

export const PORTAL = 'business-start-up';
export const CITIZEN_PORTAL = 'citizen-centre';

const MATTERS = createMatters([
  { id: 'registration', zh: '企业登记', en: 'Registration', portals: [PORTAL] },
  { id: 'tax', zh: '税务', en: 'Tax', portals: [PORTAL] },
  { id: 'insurance', zh: '社保', en: 'Insurance', portals: [PORTAL, CITIZEN_PORTAL] },
  { id: 'health', zh: '医保', en: 'Health', portals: [CITIZEN_PORTAL] },
  { id: 'general', zh: '一般', en: 'General', portals: ['*'] },
]);

const SETTINGS = {
  organisationCode: 'warn',
  administratorsMax: 2,
  mandateDefaultDays: 30,
  mandateLongestDays: 366,
  relativeDefaultDays: 7,
  relativeLongestDays: 90,
  claimsPerPersonDaily: 50,
  evidenceFileBytesMax: 4096,
  evidenceKeptDays: 90,
  recheckPerSecond: 100,
} as const;

export const usccOf = (text: string): Uscc => {
  const outcome = parseUscc(text);
  if (!outcome.ok) throw new Error(`${text}: ${outcome.reason}`);
  return outcome.uscc;
};

export const documentOf = (idNumber: string) => {
  const outcome = parseDocument('resident_id_card', 'CN', idNumber);
  if (!outcome.ok) throw new Error(`${idNumber}: ${outcome.reason}`);
  return outcome.document;
};

/** What was said to the protocol, and to people. */
export interface Heard {
  readonly ended: (EndedActing & { readonly cause: string })[];
  readonly told: { readonly personId: string; readonly notice: LegalNotice; readonly name: string }[];
}

/** The whole room of legal persons on any database, with the sample register and ears. */
export function legalRoom(database: Database, settings: Partial<typeof SETTINGS> = {}) {
  const index = createBlindIndex(Buffer.alloc(32, 2));
  const ledger = testLedger(database);
  const persons = testPersons(database);
  const register = createSampleLegalPersonRegister();
  const heard: Heard = { ended: [], told: [] };
  const parts = {
    database,
    sealer: SEALER,
    index,
    ledger,
    persons,
    register,
    counters: createMemoryCounters(),
    matters: MATTERS,
    settings: { ...SETTINGS, ...settings },
    companies: createCompanies({ database, sealer: SEALER, index, ledger }),
    posts: createPosts({ engine: database.engine, ledger }),
    ends: createActingEnds(database, async (ended, cause) => {
      heard.ended.push({ ...ended, cause });
    }),
    notify: async (_tx: unknown, personId: string, notice: LegalNotice, { name }: { readonly name: string }) => {
      heard.told.push({ personId, notice, name });
    },
  };
  const legalPersons = createLegalPersons(parts);
  const mandates = createMandates(parts);
  const acting = createActing(parts);

  const add = (role: Role, ial: 0 | 1 | 2 = 2): Promise<string> => {
    const { idNumber, name } = PEOPLE[role];
    return addPerson(persons, { idNumber: idNumberOf(idNumber), name, ial, origin: 'test' });
  };

  /** A company with its representative. */
  const claimed = async (role: Role = 'representative', company: { uscc: string; name: string } = COMPANY) => {
    const personId = await add(role);
    const outcome = await legalPersons.claim({ personId, ...company });
    if (!outcome.ok) throw new Error(outcome.reason);
    return { personId, legalPersonId: outcome.legalPerson.id };
  };

  /** A mandate the agent has accepted. */
  const accepted = async (
    legalPersonId: string,
    by: string,
    agent: AgentChoice,
    acceptor: string,
    terms: Partial<AgentGrant> = {},
  ) => {
    const granted = await mandates.grant(
      { kind: 'agent', legalPersonId, agent, matters: ['tax'], ...terms },
      { personId: by },
    );
    if (!granted.ok) throw new Error(granted.reason);
    const outcome = await mandates.accept(granted.mandate.id, { personId: acceptor });
    if (!outcome.ok) throw new Error(outcome.reason);
    return outcome.mandate;
  };

  return { ...parts, legalPersons, mandates, acting, heard, add, claimed, accepted };
}

export type LegalRoom = ReturnType<typeof legalRoom>;
