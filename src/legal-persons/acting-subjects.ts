import type { Sealer } from '../crypto/sealing.ts';
import type { Persons } from '../people/persons.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database } from '../storage/database.ts';
import type { Acting, ActingMandate, ActingSubject, LegalSubject } from './acting.ts';
import { createActingRows, type HeldMandateRow, type PostRow } from './acting-rows.ts';
import { createNoteUse } from './acting-uses.ts';
import { listOf } from './mandate-record.ts';
import type { Matters } from './matters.ts';
import { openCompany } from './sealed-company.ts';

export interface ActingSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly persons: Pick<Persons, 'profile'>;
  readonly matters: Matters;
}

/** Between a mandate given to a company and the post or mandate by which somebody acts for that company. */
const THROUGH = '.';
const REF = /^(pst|mdt)_[\w-]{10,40}(?:\.((?:pst|mdt)_[\w-]{10,40}))?$/;

type CompanyMandateRow = HeldMandateRow & {
  readonly company_id: string;
  readonly uscc_sealed: Uint8Array;
  readonly name_sealed: Uint8Array;
  readonly category: string;
};

const isForCompany = (row: HeldMandateRow): row is CompanyMandateRow => row.company_id !== null;

/** For whom a person may act, read from the rows at each question: nothing is kept, so what ends here has ended everywhere. */
export function createActing({ database, sealer, persons, matters }: ActingSources): Acting {
  const rows = createActingRows(database);

  /** The terms of a mandate at one portal, narrowed by those of `through`; undefined when nothing of it is done there. */
  const termsAt = (clientId: string, row: HeldMandateRow, through?: HeldMandateRow): ActingMandate | undefined => {
    const all = through === undefined ? [row] : [row, through];
    if (!all.every(({ portals }) => listOf(portals).includes(clientId))) return undefined;
    const own = through === undefined ? undefined : listOf(through.matters);
    const covered = matters.at(clientId, listOf(row.matters)).filter((id) => own?.includes(id) ?? true);
    if (covered.length === 0) return undefined;
    const ceiling = all.flatMap(({ acr_max: acr }) => acr ?? []).sort()[0];
    return {
      id: row.id,
      matters: covered,
      validUntil: Math.min(...all.map(({ valid_until: until }) => until)),
      ...(ceiling === undefined ? {} : { acrMax: ceiling }),
    };
  };

  const ofPost = (row: PostRow): LegalSubject => ({
    kind: 'legal',
    ref: row.post_id,
    role: row.role,
    legalPersonId: row.company_id,
    ...openCompany(sealer, row.company_id, row),
    category: row.category,
  });

  const ofMandate = async (row: HeldMandateRow, clientId: string): Promise<ActingSubject | undefined> => {
    const mandate = termsAt(clientId, row);
    if (mandate === undefined) return undefined;
    if (isForCompany(row)) return agentOf(row, mandate, row.id);
    const personId = row.represented_id!;
    const profile = await persons.profile(personId);
    // Whoever gave no name cannot be told apart on a page, nor named in a token.
    if (profile?.name === undefined || row.kind === 'agent') return undefined;
    return { kind: 'natural', ref: row.id, role: row.kind, mandate, personId, name: profile.name };
  };

  const agentOf = (row: CompanyMandateRow, mandate: ActingMandate, ref: string): LegalSubject => ({
    kind: 'legal',
    ref,
    role: 'agent',
    mandate,
    legalPersonId: row.company_id,
    ...openCompany(sealer, row.company_id, row),
    category: row.category,
  });

  const ofChain = (
    row: HeldMandateRow,
    { ref, through }: { readonly ref: string; readonly through?: HeldMandateRow },
    clientId: string,
  ): LegalSubject | undefined => {
    const mandate = termsAt(clientId, row, through);
    return mandate && isForCompany(row) ? agentOf(row, mandate, row.id + THROUGH + ref) : undefined;
  };

  /** A company that is agent of others acts through its own people: by post, or by a mandate with a fitting matter. */
  const chained = async (
    posts: readonly PostRow[],
    held: readonly HeldMandateRow[],
    clientId: string,
    now: number,
  ): Promise<readonly LegalSubject[]> => {
    const ways = [
      ...posts.map(({ company_id: company, post_id: ref }) => ({ company, ref })),
      ...held
        .filter((row) => isForCompany(row) && termsAt(clientId, row) !== undefined)
        .map((through) => ({ company: through.company_id!, ref: through.id, through })),
    ];
    const subjects: LegalSubject[] = [];
    for (const way of ways) {
      for (const row of await rows.ofCompany(way.company, clientId, now)) {
        const subject = ofChain(row, way, clientId);
        if (subject !== undefined) subjects.push(subject);
      }
    }
    return subjects;
  };

  const findChain = async (
    personId: string,
    clientId: string,
    [mandateId, ref]: readonly [string, string],
    now: number,
  ): Promise<ActingSubject | undefined> => {
    const isPost = ref.startsWith('pst_');
    const post = isPost ? await rows.post(personId, ref) : undefined;
    const through = isPost ? undefined : await rows.heldOne(personId, ref, now);
    const company = post?.company_id ?? through?.company_id;
    if (company === undefined || company === null) return undefined;
    if (through !== undefined && termsAt(clientId, through) === undefined) return undefined;
    const row = await rows.ofCompanyOne(company, mandateId, now);
    return row && ofChain(row, { ref, ...(through === undefined ? {} : { through }) }, clientId);
  };

  return {
    async subjectsOf(personId, clientId) {
      const now = nowSeconds();
      const [posts, held] = [await rows.posts(personId), await rows.held(personId, clientId, now)];
      const standsFor = new Set(posts.map(({ company_id: company }) => company));
      const subjects: ActingSubject[] = posts.map(ofPost);
      const natural: ActingSubject[] = [];
      for (const row of held) {
        // Who stands for a company has no need of its mandates.
        if (row.company_id !== null && standsFor.has(row.company_id)) continue;
        const subject = await ofMandate(row, clientId);
        if (subject !== undefined) (subject.kind === 'legal' ? subjects : natural).push(subject);
      }
      const through = await chained(posts, held, clientId, now);
      return [...subjects, ...through.filter(({ legalPersonId }) => !standsFor.has(legalPersonId)), ...natural];
    },

    async find(personId, clientId, ref) {
      const [, , second] = REF.exec(ref) ?? [];
      if (!REF.test(ref)) return undefined;
      const now = nowSeconds();
      if (second !== undefined) {
        return findChain(personId, clientId, [ref.slice(0, -second.length - THROUGH.length), second], now);
      }
      if (ref.startsWith('pst_')) {
        const row = await rows.post(personId, ref);
        return row && ofPost(row);
      }
      const row = await rows.heldOne(personId, ref, now);
      return row && ofMandate(row, clientId);
    },

    noteUse: createNoteUse(database.engine),
  };
}
