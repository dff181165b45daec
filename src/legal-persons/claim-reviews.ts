import type { Sealer } from '../crypto/sealing.ts';
import { nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Transaction } from '../storage/database.ts';
import { deleteFiles, type FileEntry, fileContent, fileEntries, insertFiles, sealFiles } from './claim-files.ts';
import { type ClaimReview, type ClaimRow, type ClaimSummary, claimContext, createClaimRows } from './claim-rows.ts';
import { createClaimVerdicts, type Verdict, type VerdictOutcome } from './claim-verdicts.ts';
import {
  CLAIM_IAL_MIN,
  type ClaimParts,
  type ClaimRefusal,
  type ClaimRequest,
  claimMistakes,
  type RefusedClaim,
  readClaim,
} from './claims.ts';
import { type EvidenceFile, type EvidenceRefusal, judgeEvidence } from './evidence-files.ts';
import { visibleText } from './visible-line.ts';

export interface ReviewRequest extends ClaimRequest {
  readonly files: readonly EvidenceFile[];
  /** What the applicant wants to say. */
  readonly note?: string;
}

/** `pending`: this person’s claim to this code waits already. */
export type SubmitOutcome =
  | { readonly ok: true; readonly claimId: string }
  | RefusedClaim<ClaimRefusal | EvidenceRefusal | 'pending'>;

/** A claim with everything a reviewer needs. Never logged. */
export interface ClaimFile extends ClaimSummary {
  readonly uscc: string;
  readonly name: string;
  readonly note: string | undefined;
  readonly files: readonly FileEntry[];
  readonly reviews: readonly ClaimReview[];
}

export interface ExportedEvidence extends FileEntry {
  readonly content: Uint8Array;
}

/** Claims no register can judge: evidence in a queue, and two reviewers who are not the same person (F3). */
export interface ClaimReviews {
  submit(request: ReviewRequest): Promise<SubmitOutcome>;
  /** Only by the applicant, and only while it waits; its evidence is deleted at once. */
  withdraw(claimId: string, personId: string): Promise<boolean>;
  claimsOf(personId: string): Promise<readonly ClaimSummary[]>;
  /** Those that wait, the oldest first, in pages. */
  queue(page?: { readonly after?: string; readonly limit?: number }): Promise<readonly ClaimSummary[]>;
  showClaim(id: string): Promise<ClaimFile | undefined>;
  /** One verdict of one reviewer. The first refusal decides; approval takes two. */
  judge(claimId: string, verdict: Verdict): Promise<VerdictOutcome>;
  /** The files in clear, with an event that says who took them and why; undefined when there is no such claim. */
  exportEvidence(
    claimId: string,
    by: { readonly reviewer: string; readonly operator: string; readonly reason: string },
  ): Promise<readonly ExportedEvidence[] | undefined>;
  /** Deletes the evidence of claims that were decided long enough ago; resolves with of how many. */
  sweepEvidence(limit: number): Promise<number>;
}

export interface ReviewParts extends ClaimParts {
  readonly sealer: Sealer;
  readonly settings: ClaimParts['settings'] & {
    readonly evidenceFileBytesMax: number;
    readonly evidenceKeptDays: number;
  };
}

const NOTE_CHARS_MAX = 500;
const DAY_SECONDS = 86_400;
const INSERT = `INSERT INTO legal_person_claims
  (id, uscc_index, uscc_sealed, name_sealed, person_id, note_sealed, status, created_at)
  VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7) ON CONFLICT DO NOTHING`;
const WITHDRAW = `UPDATE legal_person_claims SET status = 'withdrawn', decided_at = $3
  WHERE id = $1 AND person_id = $2 AND status = 'pending'`;
const OLD_EVIDENCE = `SELECT DISTINCT c.id, c.person_id FROM legal_person_claims c
  JOIN legal_person_claim_files f ON f.claim_id = c.id
  WHERE c.status <> 'pending' AND c.decided_at < $1 LIMIT $2`;

export function createClaimReviews(parts: ReviewParts): ClaimReviews {
  const { database, sealer, ledger, companies, settings } = parts;
  const rows = createClaimRows(database, sealer);

  const open = async (row: ClaimRow): Promise<ClaimFile> => ({
    ...rows.summaryOf(row),
    uscc: rows.usccOf(row),
    name: sealer.unseal(row.name_sealed, claimContext('name_sealed', row.id)),
    note: row.note_sealed === null ? undefined : sealer.unseal(row.note_sealed, claimContext('note_sealed', row.id)),
    files: await fileEntries(database, sealer, row.id),
    reviews: await rows.reviews(database, row.id),
  });

  const removeEvidence = async (tx: Transaction, claim: { readonly id: string; readonly person_id: string }) => {
    const files = await deleteFiles(tx, claim.id);
    if (files === 0) return;
    const event = {
      type: 'legal-person.evidence-removed',
      actor: 'system',
      details: { claim: claim.id, files },
    } as const;
    await ledger.append(tx, { ...event, personId: claim.person_id });
  };

  return {
    async submit(request) {
      const evidence = judgeEvidence(request.files, settings.evidenceFileBytesMax);
      if (!evidence.ok) {
        const mistakes = [...claimMistakes(request, settings), { reason: evidence.reason }];
        return { ok: false, reason: mistakes[0]!.reason, mistakes };
      }
      const read = await readClaim(parts, request);
      if (!read.ok) return read;
      const id = newId('clm');
      const { personId, visit } = request;
      const note = visibleText(request.note ?? '', NOTE_CHARS_MAX);
      const files = sealFiles(sealer, evidence.files);
      return database.write(async (tx): Promise<SubmitOutcome> => {
        const inserted = await tx.run(INSERT, [
          id,
          await companies.settled(tx, read.uscc),
          sealer.seal(read.uscc, claimContext('uscc_sealed', id)),
          sealer.seal(read.name, claimContext('name_sealed', id)),
          personId,
          note === '' ? null : sealer.seal(note, claimContext('note_sealed', id)),
          nowSeconds(),
        ]);
        if (inserted === 0) return { ok: false, reason: 'pending' };
        await insertFiles(tx, id, files);
        const details = { claim: id, files: files.length };
        await ledger.append(tx, { ...visit, type: 'legal-person.claim-submitted', actor: personId, personId, details });
        return { ok: true, claimId: id };
      });
    },

    withdraw: (claimId, personId) =>
      database.write(async (tx) => {
        if ((await tx.run(WITHDRAW, [claimId, personId, nowSeconds()])) === 0) return false;
        const details = { claim: claimId };
        await ledger.append(tx, { type: 'legal-person.claim-withdrawn', actor: personId, personId, details });
        await removeEvidence(tx, { id: claimId, person_id: personId });
        return true;
      }),

    claimsOf: async (personId) => (await rows.ofPerson(personId)).map(rows.summaryOf),
    queue: async (page = {}) => (await rows.queue(page)).map(rows.summaryOf),
    async showClaim(id) {
      const row = await rows.find(database, id);
      return row && open(row);
    },
    judge: createClaimVerdicts({ ...parts, rows, ialMin: CLAIM_IAL_MIN }),

    async exportEvidence(claimId, { reviewer, operator, reason }) {
      const row = await rows.find(database, claimId);
      if (row === undefined) return undefined;
      const files: ExportedEvidence[] = [];
      for (const entry of await fileEntries(database, sealer, claimId)) {
        const content = await fileContent(database, sealer, claimId, entry.position);
        if (content !== undefined) files.push({ ...entry, content });
      }
      await ledger.record({
        type: 'legal-person.evidence-exported',
        actor: `operator:${operator}`,
        personId: row.person_id,
        details: { claim: claimId, files: files.length, reviewer, reason },
      });
      return files;
    },

    async sweepEvidence(limit) {
      const before = nowSeconds() - settings.evidenceKeptDays * DAY_SECONDS;
      const old = await database.all<{ id: string; person_id: string }>(OLD_EVIDENCE, [before, limit]);
      for (const claim of old) await database.write((tx) => removeEvidence(tx, claim));
      return old.length;
    },
  };
}
