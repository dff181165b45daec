import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportedEvidence } from '../legal-persons/claim-reviews.ts';
import { EXTENSION } from '../legal-persons/evidence-files.ts';
import { maskUscc, type Uscc } from '../legal-persons/uscc.ts';
import { machineTime } from '../web/language.ts';
import { visibleText } from '../web/visible-text.ts';
import {
  type Action,
  type Grammar,
  type LegalCommandContext,
  limitFrom,
  Refusal,
  type Shown,
  sentence,
  text,
  type Words,
} from './legal-words.ts';

const NAME_LENGTH_MAX = 64;
const UNKNOWN = 'There is no such claim.';

/** Two reviewers are two people: the name is that of whoever sits there, beside the account they are logged in under. */
function reviewerFrom(words: Words): string {
  const name = visibleText(text(words, 'by') ?? '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  if (name !== '' && name.length <= NAME_LENGTH_MAX) return name;
  throw new Refusal('--by says who you are.', 2);
}

const REFUSALS = {
  unknown: UNKNOWN,
  decided: 'This claim was decided before.',
  same_reviewer: 'This reviewer has judged the claim already; somebody else must.',
  applicant: 'The applicant can represent nobody now: the account is shut, or its level has fallen.',
  company: 'Staff has stopped this company: resume it first.',
} as const;

async function shownClaim(id: string, { house }: LegalCommandContext): Promise<Shown> {
  const claim = await house.legalPersons.showClaim(id);
  if (claim === undefined) throw new Refusal(UNKNOWN);
  return {
    id,
    status: claim.status,
    person: claim.personId,
    usccMasked: maskUscc(claim.uscc as Uscc),
    name: claim.name,
    createdAt: machineTime(claim.createdAt),
    ...(claim.note === undefined ? {} : { note: claim.note }),
    files: claim.files,
    reviews: claim.reviews.map(({ reviewer, decision, at }) => ({ reviewer, decision, at: machineTime(at) })),
  };
}

const judging = (decision: 'approve' | 'reject'): Action => ({
  options: ['by', 'reason'],
  required: ['by', 'reason'],
  operands: 1,
  async run(words, [id = ''], context) {
    const verdict = {
      reviewer: reviewerFrom(words),
      operator: context.operator,
      decision,
      reason: sentence(words, 'reason'),
    };
    const outcome = await context.house.legalPersons.judge(id, verdict);
    if (!outcome.ok) throw new Refusal(REFUSALS[outcome.reason]);
    return { ...(await shownClaim(id, context)), outcome: outcome.status };
  },
});

/** Into a folder of its own that nobody else can enter; a folder that is there already is left alone. */
async function writeEvidence(folder: string, files: readonly ExportedEvidence[]): Promise<readonly string[]> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch {
    throw new Refusal('--out is a folder that does not exist yet, in one that does.');
  }
  const names: string[] = [];
  for (const { position, mediaType, content } of files) {
    // The name the applicant gave is not ours to put into a file system.
    const name = `${position + 1}.${EXTENSION[mediaType]}`;
    const file = await open(join(folder, name), 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    names.push(name);
  }
  return names;
}

export const EVIDENCE_ACTIONS: Grammar['actions'] = {
  'review list': {
    options: ['after', 'limit'],
    async run(words, _operands, { house }) {
      const after = text(words, 'after');
      const page = { ...(after === undefined ? {} : { after }), ...limitFrom(words) };
      const claims = await house.legalPersons.queue(page);
      return claims.map(({ id, personId, usccMasked, createdAt }) => ({
        id,
        person: personId,
        usccMasked,
        createdAt: machineTime(createdAt),
      }));
    },
  },
  'review show': { options: [], operands: 1, run: (_words, [id = ''], context) => shownClaim(id, context) },
  'review approve': judging('approve'),
  'review reject': judging('reject'),
  'review evidence': {
    options: ['out', 'by', 'reason'],
    required: ['out', 'by', 'reason'],
    operands: 1,
    async run(words, [id = ''], { house, operator }) {
      const by = { reviewer: reviewerFrom(words), operator, reason: sentence(words, 'reason') };
      const files = await house.legalPersons.exportEvidence(id, by);
      if (files === undefined) throw new Refusal(UNKNOWN);
      const folder = text(words, 'out') ?? '';
      return { claim: id, folder, files: await writeEvidence(folder, files) };
    },
  },
};
