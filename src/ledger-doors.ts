import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { House } from './app.ts';
import { SETTINGS } from './config/schema.ts';
import { sm3 } from './crypto/digests.ts';
import { SEALED_START } from './crypto/row-sealing.ts';
import { createSm2Verifier, createSoftwareSm2Signer } from './crypto/sm2-software-signer.ts';
import { tellOpening } from './ledger/opening-entry.ts';
import { type Sequencer, startSequencer } from './ledger/sequencing/sequencer.ts';
import { checkAtStart } from './ledger/sequencing/start-check.ts';
import { Fault } from './shared/fault.ts';

const NODE_NAME_LENGTH_MAX = 64;

/** The name of this node, as it stands in every entry. */
export const nodeName = (worker?: number): string =>
  `${hostname()}${worker === undefined ? '' : `/${worker}`}`.slice(-NODE_NAME_LENGTH_MAX);

/** The ledger of a house that serves: its sequencer runs until `stop`. */
export interface LedgerRunning {
  readonly sequencer: Sequencer;
  stop(): Promise<void>;
}

/**
 * Checks the ledger against its last checkpoint and starts the sequencer (L9, L10).
 * Throws `Fault('ledger_mismatch')` when the ledger is not the one that was signed: nothing may be served then.
 */
export async function runLedger(house: House, log: Logger): Promise<LedgerRunning> {
  const { config, database, ledgerKey } = house;
  const standing = await checkAtStart(database, createSm2Verifier(ledgerKey.publicKey), ledgerKey.origin);
  if (!standing.ok) throw new Fault('ledger_mismatch', standing.reason);
  const signer = createSoftwareSm2Signer(ledgerKey.privateKeyHex);
  const sequencer = startSequencer({
    database,
    signer,
    origin: ledgerKey.origin,
    intervalMs: config.ledger.checkpointIntervalMs,
    onFault: (error) => log.error({ err: error }, 'the ledger could not be signed'),
  });
  return {
    sequencer,
    async stop() {
      await sequencer.stop();
      await signer.close();
    },
  };
}

const VERSION: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

const LAST_CONFIGURATION = 'configuration';
const FIND_SETTING = 'SELECT value FROM settings WHERE name = $1';
const SAVE_SETTING = `INSERT INTO settings (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
/** Tells the ledger that this server begins to serve: with which version, and what of its configuration is new since the last start. */
export async function recordStart({ config, database, ledger, ledgerKey }: House): Promise<void> {
  const now = settingDigests(config);
  await database.write(async (tx) => {
    await tellOpening(tx, ledger, ledgerKey);
    const stored = await tx.get<{ value: string }>(FIND_SETTING, [LAST_CONFIGURATION]);
    const before = JSON.parse(stored?.value ?? '{}') as Readonly<Record<string, string>>;
    const changed = Object.keys({ ...before, ...now }).filter((name) => before[name] !== now[name]);
    if (changed.length > 0) {
      await tx.run(SAVE_SETTING, [LAST_CONFIGURATION, JSON.stringify(now)]);
      if (stored) {
        const digest = sm3(JSON.stringify(now)).toString('hex');
        await ledger.append(tx, { type: 'configuration.changed', details: { changed, digest } });
      }
    }
    await ledger.append(tx, {
      type: 'server.started',
      details: { version: VERSION, profile: config.profile, ...SEALED_START },
    });
  });
}

/** Every setting as a digest, so that a change shows and no value, let alone a secret, is kept. Secrets are told by being there. */
function settingDigests(config: House['config']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    SETTINGS.map(({ path, secret }) => {
      const value = path.reduce<unknown>((tree, key) => (tree as Record<string, unknown>)[key], config);
      const shown = secret ? (Array.isArray(value) ? value.length : value !== '') : value;
      return [path.join('.'), sm3(JSON.stringify(shown)).toString('base64url').slice(0, 16)];
    }),
  );
}
