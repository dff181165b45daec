import type { MasterChange, MasterRetirement } from '../crypto/master-rotation.ts';
import type { RootChange } from '../crypto/root-rotation.ts';
import type { KeysCommandContext } from './keys.ts';

/** What the master key is called beside the other kinds. */
export const MASTER = 'master';

/** `tongban keys rotate master [ID]` and `tongban keys retire master ID`. Exit code 1 where it could not be done. */
export async function runMaster(
  action: 'rotate' | 'retire',
  words: readonly string[],
  usage: string,
  { house, stdout, stderr }: KeysCommandContext,
): Promise<number> {
  const [id, ...more] = words;
  if (more.length > 0 || (action === 'retire' && id === undefined)) {
    stderr.write(usage);
    return 2;
  }
  if (action === 'retire') {
    const outcome = await house.masterRotation.retire(id!);
    if (outcome.ok) stdout.write(`${MASTER}: ${id} opens nothing any more; take it out of the configuration.\n`);
    else stderr.write(`${MASTER}: ${id} stays. ${whyKept(outcome)}\n`);
    return outcome.ok ? 0 : 1;
  }
  const outcome = await house.masterRotation.rotate(id);
  if (outcome.ok) {
    stdout.write(
      `${MASTER}: ${outcome.id} is in use now, ${outcome.rows} keys were sealed anew. Keep the last one until `,
    );
    stdout.write('every node and every backup you may bring back can do without it, then retire it.\n');
  } else stderr.write(`${MASTER}: nothing was changed. ${whyNot(outcome)}\n`);
  return outcome.ok ? 0 : 1;
}

/** What outlives the master key. */
export const ROOT = 'root';

/** `tongban keys rotate root`. Exit code 1 where it could not be done. */
export async function rotateRoot({ house, stdout, stderr }: KeysCommandContext): Promise<number> {
  const outcome = await house.rootRotation.rotate();
  if (outcome.ok) {
    stdout.write(
      `${ROOT}: another one is in use now, ${outcome.keys} keys were sealed anew. The servers may start again.\n`,
    );
    return 0;
  }
  stderr.write(`${ROOT}: nothing was changed. ${whyNoRoot(outcome)}\n`);
  return 1;
}

function whyNoRoot(outcome: Exclude<RootChange, { readonly ok: true }>): string {
  switch (outcome.reason) {
    case 'serving':
      return 'A server runs, or was killed some seconds ago: stop all of them, and try again.';
    case 'standing':
      return `The configured keys of these kinds are made of it: rotate, reseal and retire them first: ${outcome.purposes.join(', ')}.`;
  }
}

function whyNot(outcome: Exclude<MasterChange, { readonly ok: true }>): string {
  switch (outcome.reason) {
    case 'none_given':
      return 'Give every node the new key beside the one in use first: secrets.otherEncryptionKeys (TONGBAN_OTHER_ENCRYPTION_KEYS), or keyService.keyFiles.';
    case 'which':
      return `Say which: ${outcome.ids.join(', ')}.`;
    case 'unknown':
      return 'No such master key was given to this process.';
    case 'in_use':
      return 'It is in use already.';
    case 'retired':
      return 'It is retired.';
  }
}

function whyKept(outcome: Exclude<MasterRetirement, { readonly ok: true }>): string {
  if (outcome.reason === 'needed') return `${outcome.rows} keys stand under it or under no name: rotate once more.`;
  return outcome.reason === 'in_use' ? 'It is in use; rotate first.' : 'That is no name of a master key.';
}
