import { nowSeconds } from '../shared/clock.ts';
import type { Invitee } from './agents.ts';
import type { MandateParts } from './mandate-parts.ts';
import {
  evidenceContext,
  inviteeContext,
  type Mandate,
  type MandateRow,
  mandateColumns,
  mandateOf,
} from './mandate-record.ts';
import { findMandate } from './mandate-store.ts';
import { personName } from './person-names.ts';

/** A mandate with the names of both sides, for those who belong to it. Never logged. */
export interface MandateView extends Mandate {
  /** The company, or the represented person. */
  readonly principalName: string;
  /** The agent as known to us, or as the invitation names them. */
  readonly agentName: string;
  /** While an invitation by document waits: its number, masked. */
  readonly inviteeNumberMasked: string | undefined;
}

export interface Page {
  /** The id of the last one of the page before. */
  readonly before?: string | undefined;
  readonly limit?: number;
  /** Without those that have ended. */
  readonly live?: boolean;
}

/** Lists are read in pages, the newest first: a company may have ten thousand, a person a thousand. */
export interface MandateViews {
  find(id: string): Promise<Mandate | undefined>;
  view(id: string): Promise<MandateView | undefined>;
  ofCompany(legalPersonId: string, page?: Page): Promise<readonly MandateView[]>;
  ofRepresented(personId: string, page?: Page): Promise<readonly MandateView[]>;
  /** Those a person is the agent of. */
  ofAgent(personId: string, page?: Page): Promise<readonly MandateView[]>;
  ofAgentCompany(legalPersonId: string, page?: Page): Promise<readonly MandateView[]>;
  /** Invitations that wait for a document this person holds. */
  invitations(personId: string): Promise<readonly MandateView[]>;
  /** How the wish or the relation was shown; for staff. */
  evidence(id: string): Promise<string | undefined>;
}

const PAGE_MAX = 200;
/** After every id there is, in every collation. */
const LAST = 'mdt_z';

const pageBy = (column: string, live: boolean): string =>
  `SELECT ${mandateColumns('m')} FROM mandates m WHERE m.${column} = $1 AND m.id < $2
   ${live ? "AND m.status IN ('invited', 'active', 'suspended')" : ''} ORDER BY m.id DESC LIMIT $3`;
const BY = ['legal_person_id', 'represented_id', 'agent_person_id', 'agent_legal_person_id'] as const;
const PAGES = Object.fromEntries(
  BY.map((column) => [column, { all: pageBy(column, false), live: pageBy(column, true) }]),
) as Readonly<Record<(typeof BY)[number], { readonly all: string; readonly live: string }>>;
const INVITATIONS = `SELECT ${mandateColumns('m')} FROM identity_documents d JOIN mandates m
  ON m.invitee_index = d.number_index AND m.invitee_type = d.type AND m.invitee_issuer = d.issuer
  WHERE d.person_id = $1 AND m.status = 'invited' AND m.valid_until > $2 ORDER BY m.id DESC LIMIT ${PAGE_MAX}`;

export function createMandateViews({ database, sealer, companies }: MandateParts): MandateViews {
  const nameOfCompany = async (id: string): Promise<string> => {
    const row = await companies.find(database, id);
    return row === undefined ? '' : companies.profileOf(row).name;
  };
  const nameOfPerson = async (id: string): Promise<string> => (await personName(database, sealer, id)) ?? '';

  /** One page names few companies and people again and again. */
  const namer = () => {
    const known = new Map<string, Promise<string>>();
    return (id: string, find: (id: string) => Promise<string>): Promise<string> => {
      const found = known.get(id) ?? find(id);
      known.set(id, found);
      return found;
    };
  };

  const viewOf = async (row: MandateRow, named = namer()): Promise<MandateView> => {
    const invitee =
      row.invitee_sealed === null
        ? undefined
        : (JSON.parse(sealer.unseal(row.invitee_sealed, inviteeContext(row.id))) as Invitee);
    const agentName =
      row.agent_legal_person_id !== null
        ? await named(row.agent_legal_person_id, nameOfCompany)
        : row.agent_person_id !== null
          ? await named(row.agent_person_id, nameOfPerson)
          : (invitee?.name ?? '');
    return {
      ...mandateOf(row, nowSeconds()),
      principalName:
        row.legal_person_id === null
          ? await named(row.represented_id!, nameOfPerson)
          : await named(row.legal_person_id, nameOfCompany),
      agentName,
      inviteeNumberMasked: row.agent_person_id === null ? invitee?.numberMasked : undefined,
    };
  };

  const all = async (rows: readonly MandateRow[]): Promise<readonly MandateView[]> => {
    const named = namer();
    const views: MandateView[] = [];
    for (const row of rows) views.push(await viewOf(row, named));
    return views;
  };

  const page =
    (column: (typeof BY)[number]) =>
    async (id: string, { before = LAST, limit = PAGE_MAX, live = false }: Page = {}) =>
      all(await database.all(PAGES[column][live ? 'live' : 'all'], [id, before, Math.min(limit, PAGE_MAX)]));

  return {
    async find(id) {
      const row = await findMandate(database, id);
      return row && mandateOf(row, nowSeconds());
    },
    async view(id) {
      const row = await findMandate(database, id);
      return row && viewOf(row);
    },
    ofCompany: page('legal_person_id'),
    ofRepresented: page('represented_id'),
    ofAgent: page('agent_person_id'),
    ofAgentCompany: page('agent_legal_person_id'),
    invitations: async (personId) => all(await database.all(INVITATIONS, [personId, nowSeconds()])),
    async evidence(id) {
      const row = await findMandate(database, id);
      return row?.evidence_sealed == null ? undefined : sealer.unseal(row.evidence_sealed, evidenceContext(id));
    },
  };
}
