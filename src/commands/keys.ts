import { setTimeout as pause } from 'node:timers/promises';
import type { House } from '../app.ts';
import type { Retirement } from '../crypto/key-rotation.ts';
import { RING_ALGORITHMS, RING_PURPOSES, type RingPurpose } from '../crypto/secret-ring.ts';
import { remoteKeyId, type SigningAlgorithm } from '../crypto/signing-key.ts';
import { MASTER, ROOT, rotateRoot, runMaster } from './keys-master.ts';
import { runReseal } from './keys-reseal.ts';

export interface KeysCommandContext {
  readonly house: Pick<
    House,
    'keyring' | 'keyRotation' | 'masterRotation' | 'rootRotation' | 'secretRing' | 'resealing' | 'database' | 'config'
  >;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

export const USAGE = `Usage:
  tongban keys list                the keys, those in use first
  tongban keys rotate [KIND ...]   let the next keys be used; running servers follow within a second. KIND is an algorithm
                                   (ES256, RS256, SGD_SM3_SM2), sealing, index, pepper, cookies, rows or all; without one, every algorithm
  tongban keys rotate master [ID]  seal every key anew with the other master key that was given (secrets.otherEncryptionKeys)
  tongban keys rotate root         draw another root, from which shorter-lived keys are made; no server may run
  tongban keys wrap FILE           let the key service make a master key, and keep it wrapped in a new file
  tongban keys reseal [--per-second N] [--status]
                                   bring what stands under replaced keys under those in use, now; otherwise it is done at night
  tongban keys retire KIND ID      remove a replaced key for good, master keys too; refused while anything depends on it
`;

const PAIRWISE = `The pairwise salt is never replaced: every portal would take everybody for somebody else. See docs/crypto.md.\n`;

/** `tongban keys ...`. Never prints a secret. Exit code 1 where a key could not be rotated or retired. */
export async function run(args: readonly string[], context: KeysCommandContext): Promise<number> {
  const [action, ...words] = args;
  if (action === 'list' && words.length === 0) return list(context);
  if (words[0] === MASTER && (action === 'rotate' || action === 'retire')) {
    return runMaster(action, words.slice(1), USAGE, context);
  }
  if (action === 'rotate' && words[0] === ROOT && words.length === 1) return rotateRoot(context);
  if (action === 'rotate') return rotate(words, context);
  if (action === 'reseal') return runReseal(words, context);
  if (action === 'retire' && words.length === 2) return retire(words[0]!, words[1]!, context);
  context.stderr.write(USAGE);
  return 2;
}

async function list({ house, stdout }: KeysCommandContext): Promise<number> {
  for (const { id, state } of await house.masterRotation.list()) stdout.write(`${MASTER}  ${id}  ${state}\n`);
  await house.keyring.ensure();
  for (const jwk of (await house.keyring.jwks()).privateKeys) {
    const held = remoteKeyId(jwk);
    stdout.write(`${jwk.alg}  ${jwk.kid}${held === undefined ? '' : `  key ${held} of the signature server`}\n`);
  }
  for (const purpose of RING_PURPOSES) {
    for (const { id, state, activatedAt = 0 } of house.secretRing.keys(purpose)) {
      const since = activatedAt === 0 ? '' : `  since ${dateOf(activatedAt)}`;
      stdout.write(`${purpose}  ${id}  ${state}  ${RING_ALGORITHMS[purpose]}${since}\n`);
    }
  }
  return 0;
}

const dateOf = (seconds: number): string => new Date(seconds * 1000).toISOString();

const isPurpose = (word: string): word is RingPurpose => (RING_PURPOSES as readonly string[]).includes(word);

async function rotate(words: readonly string[], context: KeysCommandContext): Promise<number> {
  const { house, stderr } = context;
  const { algorithms } = house.keyring;
  const isAlgorithm = (word: string): word is SigningAlgorithm => (algorithms as readonly string[]).includes(word);
  if (words.includes('pairwise')) {
    stderr.write(PAIRWISE);
    return 1;
  }
  const asked = words.flatMap((word) => (word === 'all' ? [...algorithms, ...RING_PURPOSES] : [word]));
  if (asked.some((word) => !isAlgorithm(word) && !isPurpose(word))) {
    stderr.write(USAGE);
    return 2;
  }
  const signing = words.length === 0 ? algorithms : asked.filter(isAlgorithm);
  const refused = (await rotateSigning(signing, context)) + (await rotateRing(asked.filter(isPurpose), context));
  return refused === 0 ? 0 : 1;
}

/** Resolves with how many could not be rotated yet. */
async function rotateSigning(algorithms: readonly SigningAlgorithm[], context: KeysCommandContext): Promise<number> {
  const { house, stdout, stderr } = context;
  if (algorithms.length === 0) return 0;
  await house.keyring.ensure();
  let refused = 0;
  for (const algorithm of algorithms) {
    const outcome = await house.keyring.rotate(algorithm);
    if (outcome.ok) stdout.write(`${algorithm}: ${outcome.kid} signs now.\n`);
    else {
      refused += 1;
      const at = dateOf(outcome.readyAt);
      stderr.write(`${algorithm}: portals may not know the next key yet; it can sign from ${at} on.\n`);
    }
  }
  await house.keyring.prune();
  return refused;
}

/** Puts the new keys before all processes, waits until every one must know them, and only then has them used. */
async function rotateRing(purposes: readonly RingPurpose[], { house, stdout }: KeysCommandContext): Promise<number> {
  for (const purpose of purposes) await house.keyRotation.stage(purpose);
  for (const purpose of purposes) {
    let outcome = await house.keyRotation.putInUse(purpose);
    while (!outcome.ok && outcome.reason === 'too_soon') {
      await pause(LOOK_AGAIN_MS);
      outcome = await house.keyRotation.putInUse(purpose);
    }
    // Where another command put it in use meanwhile, there is nothing left to do.
    if (outcome.ok) stdout.write(`${purpose}: ${outcome.id} is in use now.\n`);
  }
  if (purposes.some((purpose) => ['sealing', 'index', 'rows'].includes(purpose))) {
    stdout.write('What stands under the replaced key is written anew at night, or now with `tongban keys reseal`.\n');
  }
  return 0;
}

const LOOK_AGAIN_MS = 500;

async function retire(kind: string, id: string, { house, stdout, stderr }: KeysCommandContext): Promise<number> {
  if (!isPurpose(kind)) {
    stderr.write('Signing keys are removed by themselves when the last token they signed has expired.\n');
    return 2;
  }
  const outcome = await house.keyRotation.retire(kind, id);
  if (outcome.ok) stdout.write(`${kind}: ${id} is gone for good.\n`);
  else stderr.write(`${kind}: ${id} stays. ${whyNot(outcome)}\n`);
  return outcome.ok ? 0 : 1;
}

function whyNot(outcome: Exclude<Retirement, { readonly ok: true }>): string {
  if ('readyAt' in outcome) return `Something made with it may still come back until ${dateOf(outcome.readyAt)}.`;
  if (!('dependents' in outcome)) {
    return outcome.reason === 'unknown' ? 'There is no such key.' : 'It is in use, or the next one; rotate first.';
  }
  const total = outcome.dependents.reduce((sum, { rows }) => sum + rows, 0);
  const tables = outcome.dependents.map(({ table, rows }) => `${table} ${rows}`).join(', ');
  return `${total} rows depend on it: ${tables}.`;
}
