import { z } from 'zod';
import type { House } from '../app.ts';
import { createSm2Verifier } from '../crypto/sm2-software-signer.ts';
import { liveVerdict } from '../ledger/auditing/live-verdict.ts';
import type { PruneProposal } from '../ledger/auditing/prune-proposals.ts';
import { type ApproveOutcome, createPruning, type Pruning } from '../ledger/auditing/pruning.ts';
import { signedTree } from '../ledger/auditing/signed-tree.ts';
import { parseVerifierKey, verifyCosignature, verifyNote } from '../ledger/checkpoints/checkpoint.ts';
import { frontierAt } from '../ledger/tree/merkle.ts';
import { machineTime } from '../web/language.ts';
import { type AuditContext, type AuditOffice, inOffice } from './audit-office.ts';
import { readSmall } from './audit-proof.ts';
import { aligned, auditMessages } from './audit-table.ts';
import { actorName, type ExitCode, flag, moment, path, Refused, reason, understand } from './audit-words.ts';
import { createProgress } from './progress.ts';

export const USAGE = `tongban audit prune propose --before TIME --by NAME --reason TEXT [--witness FILE --witness-key TEXT|FILE] [--json]
tongban audit prune approve ID --by NAME [--json]    by somebody else; verifies the ledger, then removes
tongban audit prune list [--json]
  removes entries past their retention; hashes stay, and an entry of the ledger says what went and who wanted it
  --witness   a checkpoint that a witness has cosigned: nothing above it is removed
`;

const PROPOSE_OPTIONS = {
  before: { type: 'string' },
  by: { type: 'string' },
  reason: { type: 'string' },
  witness: { type: 'string' },
  'witness-key': { type: 'string' },
  json: { type: 'boolean' },
} as const;
const proposeWords = z.strictObject({
  before: z
    .string('--before is missing: entries dated before this moment are proposed.')
    .pipe(moment('--before', 'start')),
  by: actorName,
  reason,
  witness: path.optional(),
  'witness-key': path.optional(),
  json: flag,
});
const APPROVE_OPTIONS = { by: { type: 'string' }, json: { type: 'boolean' } } as const;
const approveWords = z.strictObject({ by: actorName, json: flag });
const LIST_OPTIONS = { json: { type: 'boolean' } } as const;
const listWords = z.strictObject({ json: flag });

/** `tongban audit prune ...`: two people, one removal, and an entry that tells of it (L13). */
export async function run([action, ...args]: readonly string[], context: AuditContext): Promise<ExitCode> {
  if (action === 'propose') return propose(args, context);
  if (action === 'approve') return approve(args, context);
  if (action === 'list') return list(args, context);
  throw new Refused(USAGE.trimEnd(), 2);
}

const pruningOf = ({ database, ledger, ledgerReader, config }: House): Pruning =>
  createPruning({ database, ledger, reader: ledgerReader, retentionDays: config.ledger.retentionDays });

async function propose(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words } = understand(args, PROPOSE_OPTIONS, proposeWords, USAGE);
  if ((words.witness === undefined) !== (words['witness-key'] === undefined)) {
    throw new Refused(
      '--witness and --witness-key belong together: a cosignature counts only under a key you trust.',
      2,
    );
  }
  return inOffice<ExitCode>(context, async ({ house, settle }) => {
    const ceiling =
      words.witness === undefined ? undefined : await witnessedSize(house, words.witness, words['witness-key'] ?? '');
    const progress = createProgress(context.stderr, 'entries looked at');
    const by = { name: words.by, operator: context.operator };
    const wish = { beforeMs: words.before, ceiling, by, reason: words.reason };
    const outcome = await pruningOf(house).propose(wish, progress.at);
    progress.end();
    if (!outcome.ok && outcome.reason === 'too_young') {
      const latest = machineTime(Math.floor(outcome.latestMs / 1000));
      const days = house.config.ledger.retentionDays;
      throw new Refused(
        `Entries are kept for ${days} days (ledger.retentionDays): --before is ${latest} at the latest.`,
      );
    }
    if (!outcome.ok) throw new Refused('There is no whole tile of 256 entries that may be removed.');
    await settle();
    const { proposal, from } = outcome;
    const said = { id: proposal.id, from, to: proposal.to };
    const sentence = `Proposed: remove entries ${from} to before ${proposal.to}.\nSomebody else approves it with: tongban audit prune approve ${proposal.id} --by NAME`;
    context.stdout.write(words.json ? `${JSON.stringify(said)}\n` : `${sentence}\n`);
    return 0;
  });
}

/** The size of a cosigned checkpoint of this very ledger. Throws `Refused` for anything else. */
async function witnessedSize({ database, ledgerKey }: House, noteFile: string, keyText: string): Promise<number> {
  const note = await readSmall(noteFile);
  const key = parseVerifierKey(keyText) ?? parseVerifierKey((await readSmall(keyText)).trim());
  if (key?.type !== 'cosignature-sm2/v1') throw new Refused('--witness-key is not the key of a witness.', 2);
  const checkpoint = verifyNote(note, { ...createSm2Verifier(ledgerKey.publicKey), name: ledgerKey.origin });
  const cosigned = verifyCosignature(note, { ...createSm2Verifier(key.publicKey), name: key.name });
  const tree = await signedTree(database);
  if (checkpoint === undefined || cosigned === undefined || tree === undefined) {
    throw new Refused('--witness is not a checkpoint of this ledger that this witness has cosigned.');
  }
  const stored = checkpoint.size <= tree.size ? (await frontierAt(checkpoint.size, tree.node)).root() : undefined;
  if (stored?.equals(checkpoint.root)) return checkpoint.size;
  throw new Refused(
    'The witness holds a checkpoint of another history of this ledger. Remove nothing: this is an incident.',
  );
}

async function approve(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words, operands } = understand(args, APPROVE_OPTIONS, approveWords, USAGE, 1);
  return inOffice<ExitCode>(context, async (office) => {
    const pruning = pruningOf(office.house);
    const by = { name: words.by, operator: context.operator };
    const outcome = await pruning.approve(operands[0] ?? '', by, () => judge(office, context));
    if (!outcome.ok) throw new Refused(refusal(outcome));
    // What tells of the removal is signed before more is removed.
    await office.settle();
    const progress = createProgress(context.stderr, 'entries removed');
    await pruning.finish(outcome.proposal, progress.at);
    progress.end();
    const { id, to } = outcome.proposal;
    const said = { id, to, resumed: outcome.resumed };
    const sentence = `Removed: the ledger now begins with entry ${to}. The hashes of what went stay, and so do all proofs of the rest.`;
    context.stdout.write(words.json ? `${JSON.stringify(said)}\n` : `${sentence}\n`);
    return 0;
  });
}

async function judge({ house, settle }: AuditOffice, { stderr }: AuditContext): Promise<string | undefined> {
  const { database, ledger, ledgerKey } = house;
  const progress = createProgress(stderr, 'entries verified');
  const outcome = await liveVerdict(database, ledgerKey.verifierKey, progress.at);
  progress.end();
  const { verdict, reason: why, counts } = outcome;
  await ledger.record({ type: 'audit.verified', details: { verdict, size: counts.size, reason: why } });
  await settle();
  return verdict === 'good' ? undefined : why;
}

function refusal(outcome: Exclude<ApproveOutcome, { ok: true }>): string {
  switch (outcome.reason) {
    case 'too_young':
      return `Entry ${outcome.seq} is not past its retention (ledger.retentionDays). Nothing was removed.`;
    case 'unsound':
      return `Nothing was removed, because the ledger does not verify: ${outcome.sentence}`;
    default:
      return SENTENCES[outcome.reason];
  }
}

const SENTENCES: Readonly<Record<'unknown' | 'done' | 'same_name' | 'outdated' | 'raced' | 'untold', string>> = {
  unknown: 'There is no such proposal; tongban audit prune list shows them.',
  done: 'This proposal was carried out already.',
  same_name: 'Whoever proposed a removal cannot approve it: a second person must.',
  outdated: 'These entries are gone already, or the ledger is not that long. Nothing was removed.',
  raced: 'Somebody else has approved this proposal in this very moment.',
  untold:
    'The proposal is marked as approved, but the ledger has no entry of that. Nothing was removed; this is an incident.',
};

async function list(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words } = understand(args, LIST_OPTIONS, listWords, USAGE);
  const house = await context.openHouse();
  try {
    const proposals = await pruningOf(house).list();
    if (words.json) for (const proposal of proposals) context.stdout.write(`${JSON.stringify(proposal)}\n`);
    else context.stdout.write(tableOf(proposals, context));
    return 0;
  } finally {
    await house.close();
  }
}

function tableOf(proposals: readonly PruneProposal[], { language }: AuditContext): string {
  const { prune } = auditMessages(language);
  if (proposals.length === 0) return `${prune.none}\n`;
  const rows = proposals.map(({ id, to, proposedBy, proposedAt, approvedBy, doneAt }) => [
    id,
    String(to),
    `${proposedBy}, ${machineTime(proposedAt)}`,
    approvedBy ?? '-',
    doneAt !== null ? prune.done : approvedBy === null ? prune.waiting : prune.unfinished,
  ]);
  return aligned([[prune.id, prune.to, prune.proposedBy, prune.approvedBy, prune.state], ...rows]);
}
