import type { Holdings, MergePair, Moved } from '../people/lifecycle/holdings.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { updateLock } from '../storage/row-locks.ts';
import { deleteFiles } from './claim-files.ts';
import type { Companies } from './companies.ts';
import { fingerprintOf, listOf, type MandateRow, mandateColumns } from './mandate-record.ts';

const POSTS = `SELECT id, legal_person_id FROM legal_person_posts WHERE person_id = $1 AND status <> 'ended'
  ORDER BY legal_person_id`;
const GIVE_POST = 'UPDATE legal_person_posts SET person_id = $1, updated_at = $2 WHERE id = $3 AND person_id = $4';

interface PostKey {
  readonly id: string;
  readonly legal_person_id: string;
}

/** The posts of a person. Two of one person at one company cannot become one: the person gives one of them up first. */
export const postHoldings = (companies: Pick<Companies, 'lock'>): Holdings => ({
  name: 'posts',
  async move(tx, { keptId, mergedId }) {
    const moving = await tx.all<PostKey>(POSTS, [mergedId]);
    for (const { legal_person_id: company } of moving) await companies.lock(tx, company);
    const own = new Set((await tx.all<PostKey>(POSTS, [keptId])).map(({ legal_person_id: company }) => company));
    if (moving.some(({ legal_person_id: company }) => own.has(company))) return { ok: false, reason: 'same_company' };
    for (const { id } of moving) await tx.run(GIVE_POST, [keptId, nowSeconds(), id, mergedId]);
    return { ok: true, moved: { ids: moving.map(({ id }) => id) }, counts: { posts: moving.length } };
  },
  async moveBack(tx, { keptId, mergedId }, { ids }) {
    for (const id of ids as readonly string[]) {
      if ((await tx.run(GIVE_POST, [mergedId, nowSeconds(), id, keptId])) === 0)
        return { ok: false, reason: 'post_gone' };
    }
    return { ok: true };
  },
  // They ended before; that somebody held them stays.
  async shred() {},
});

const ONE = `SELECT ${mandateColumns('m')} FROM mandates m WHERE m.id = $1`;
const OF_PERSON = `SELECT ${mandateColumns('m')} FROM mandates m WHERE m.agent_person_id = $1 OR m.represented_id = $1
  ORDER BY m.id`;
const TAKEN = `SELECT 1 AS one FROM mandates WHERE fingerprint = $1 AND id <> $2
  AND status IN ('invited', 'active', 'suspended')`;
const GIVE_MANDATE = `UPDATE mandates SET agent_person_id = $1, represented_id = $2, fingerprint = $3, updated_at = $4
  WHERE id = $5`;
const END_MANDATE = `UPDATE mandates SET status = 'revoked', cause = 'merged', updated_at = $1 WHERE id = $2`;
const REVIVE_MANDATE = `UPDATE mandates SET status = $1, cause = $2, updated_at = $3
  WHERE id = $4 AND status = 'revoked' AND cause = 'merged'`;
const SCRUB_MANDATES = `UPDATE mandates SET invitee_type = NULL, invitee_issuer = NULL, invitee_index = NULL,
  invitee_sealed = NULL, evidence_sealed = NULL, milestone_at = NULL, fingerprint = id
  WHERE (agent_person_id = $1 OR represented_id = $1) AND status NOT IN ('invited', 'active', 'suspended')`;

/** `agent`, `represented`: what they were. `ended`: it made no sense between what is one person now, or stood twice. */
interface MovedMandate {
  readonly id: string;
  readonly agent: string | null;
  readonly represented: string | null;
  readonly ended: boolean;
  readonly status: MandateRow['status'];
  readonly cause: string | null;
}

const isLive = ({ status }: Pick<MandateRow, 'status'>): boolean => ['invited', 'active', 'suspended'].includes(status);

/** The key by which the agent of a mandate was named when it was granted (agents.ts). */
function agentKey(row: MandateRow, agent: string | null): string {
  if (row.invitee_index !== null) return `document:${row.invitee_type}:${row.invitee_issuer}:${row.invitee_index}`;
  return row.agent_legal_person_id === null ? `person:${agent}` : `company:${row.agent_legal_person_id}`;
}

function printOf(row: MandateRow, agent: string | null, represented: string | null): string {
  const principal = row.legal_person_id === null ? { personId: represented! } : { legalPersonId: row.legal_person_id };
  const scope = { matters: listOf(row.matters), portals: listOf(row.portals) };
  return fingerprintOf(principal, agentKey(row, agent), scope, {
    acrMax: row.acr_max ?? undefined,
    mayDelegate: row.may_delegate === 1,
    parentId: row.parent_id ?? undefined,
  });
}

async function moveMandate(tx: Transaction, row: MandateRow, { keptId, mergedId }: MergePair): Promise<MovedMandate> {
  const swap = (id: string | null): string | null => (id === mergedId ? keptId : id);
  const [agent, represented] = [swap(row.agent_person_id), swap(row.represented_id)];
  const print = printOf(row, agent, represented);
  const isOwn = agent !== null && agent === represented;
  const ended = isLive(row) && (isOwn || (await tx.get(TAKEN, [print, row.id])) !== undefined);
  if (ended) await tx.run(END_MANDATE, [nowSeconds(), row.id]);
  else if (!isOwn) await tx.run(GIVE_MANDATE, [agent, represented, print, nowSeconds(), row.id]);
  const { id, status, cause, agent_person_id: agentBefore, represented_id: representedBefore } = row;
  return { id, agent: agentBefore, represented: representedBefore, ended, status, cause };
}

async function returnMandate(
  tx: Transaction,
  engine: Database['engine'],
  moved: MovedMandate,
  { mergedId }: MergePair,
): Promise<boolean> {
  const row = await tx.get<MandateRow>(ONE + updateLock(engine), [moved.id]);
  if (row === undefined) return false;
  // Only what was taken goes back: somebody else may have accepted it since.
  const back = (before: string | null, now: string | null): string | null => (before === mergedId ? mergedId : now);
  const agent = back(moved.agent, row.agent_person_id);
  const represented = back(moved.represented, row.represented_id);
  const print = printOf(row, agent, represented);
  if (isLive(row) && (await tx.get(TAKEN, [print, row.id])) !== undefined) return false;
  await tx.run(GIVE_MANDATE, [agent, represented, print, nowSeconds(), row.id]);
  if (!moved.ended || row.valid_until <= nowSeconds() || (await tx.get(TAKEN, [print, row.id])) !== undefined)
    return true;
  await tx.run(REVIVE_MANDATE, [moved.status, moved.cause, nowSeconds(), row.id]);
  return true;
}

/** The mandates of a person, on whichever side. */
export const mandateHoldings = (engine: Database['engine']): Holdings => ({
  name: 'mandates',
  async move(tx, pair) {
    const mandates: MovedMandate[] = [];
    for (const row of await tx.all<MandateRow>(OF_PERSON + updateLock(engine), [pair.mergedId]))
      mandates.push(await moveMandate(tx, row, pair));
    const live = mandates.filter((one) => isLive(one) && !one.ended).length;
    return { ok: true, moved: { mandates }, counts: { mandates: live } };
  },
  async moveBack(tx, pair, { mandates }: Moved) {
    for (const one of mandates as readonly MovedMandate[]) {
      if (!(await returnMandate(tx, engine, one, pair))) return { ok: false, reason: 'mandate_gone' };
    }
    return { ok: true };
  },
  async shred(tx, personId) {
    await tx.run(SCRUB_MANDATES, [personId]);
  },
});

const GIVE_CLAIMS = `UPDATE legal_person_claims SET person_id = $1 WHERE id = $2 AND person_id = $3`;
const PENDING = `SELECT id, uscc_index FROM legal_person_claims WHERE person_id = $1 AND status = 'pending' ORDER BY id`;

interface ClaimKey {
  readonly id: string;
  readonly uscc_index: string;
}

/** Claims that wait for their reviewers. One that both accounts made stays where it is, and nothing comes of it. */
export const claimHoldings: Holdings = {
  name: 'claims',
  async move(tx, { keptId, mergedId }) {
    const own = new Set((await tx.all<ClaimKey>(PENDING, [keptId])).map(({ uscc_index: code }) => code));
    const moving = (await tx.all<ClaimKey>(PENDING, [mergedId])).filter(({ uscc_index: code }) => !own.has(code));
    for (const { id } of moving) await tx.run(GIVE_CLAIMS, [keptId, id, mergedId]);
    return { ok: true, moved: { ids: moving.map(({ id }) => id) }, counts: {} };
  },
  async moveBack(tx, { keptId, mergedId }, { ids }) {
    for (const id of ids as readonly string[]) await tx.run(GIVE_CLAIMS, [mergedId, id, keptId]);
    return { ok: true };
  },
  async shred(tx, personId) {
    const claims = await tx.all<{ id: string }>('SELECT id FROM legal_person_claims WHERE person_id = $1', [personId]);
    for (const { id } of claims) await deleteFiles(tx, id);
    await tx.run('UPDATE legal_person_claims SET note_sealed = NULL WHERE person_id = $1', [personId]);
  },
};
