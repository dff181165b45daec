import type { Logger } from 'pino';
import type { House } from './app.ts';
import { type ChangeWatch, startChangeWatch } from './storage/change-watch.ts';

/**
 * Has everything this process keeps in memory of portals and keys read again when any process changes it: nodes, workers and commands. Rows
 * of people, sessions and mandates need no telling (docs/engines.md). `rebuild` makes the protocol engine anew, with the keys of now.
 */
export async function followChanges(
  { database, keyring, relyingParties, secretRing }: House,
  log: Logger,
  rebuild: () => Promise<void>,
): Promise<ChangeWatch> {
  let builtVersion = await keyring.version();
  await rebuild();
  const changes = startChangeWatch({
    database,
    onFault: (error) => log.error({ err: error }, 'changes by other processes could not be read; it is tried again'),
  });
  changes.onChange(() => relyingParties.lookAgain());
  changes.onChange(() => secretRing.refresh());
  changes.onChange(async () => {
    const version = await keyring.version();
    if (version === builtVersion) return;
    await rebuild();
    builtVersion = version;
    log.info({ version }, 'signing keys changed');
  });
  return changes;
}
