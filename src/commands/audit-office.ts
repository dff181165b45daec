import type { House } from '../app.ts';
import { createSoftwareSm2Signer } from '../crypto/sm2-software-signer.ts';
import { tellOpening } from '../ledger/opening-entry.ts';
import { startSequencer } from '../ledger/sequencing/sequencer.ts';
import { Fault } from '../shared/fault.ts';
import type { Language } from '../web/language.ts';

/** What audit commands work with. The house is opened by those that need it; the others run on any machine. */
export interface AuditContext {
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean };
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  /** The account of the operating system. */
  readonly operator: string;
  /** For tables; sentences and JSON are English. */
  readonly language: Language;
  /** Throws when there is no house to open here. The caller closes it. */
  readonly openHouse: () => Promise<House>;
}

/** An open house whose ledger is signed up to the moment it was opened, and signed again when it is closed. */
export interface AuditOffice {
  readonly house: House;
  /** Why the ledger could not be signed; undefined as it should be. Only ever set for those who asked to go on regardless. */
  readonly mismatch: string | undefined;
  /** Resolves when everything written so far is signed. */
  settle(): Promise<void>;
}

/**
 * Opens the house, has the ledger signed, and closes everything after the work. Where a server runs, that server signs; else this
 * command does. Throws `Fault('ledger_mismatch')` when the ledger is not the one that was signed, unless `evenIfTampered`.
 */
export async function inOffice<T>(
  { openHouse }: Pick<AuditContext, 'openHouse'>,
  work: (office: AuditOffice) => Promise<T>,
  { evenIfTampered = false }: { readonly evenIfTampered?: boolean } = {},
): Promise<T> {
  const house = await openHouse();
  const { database, ledgerKey, ledger } = house;
  const signer = createSoftwareSm2Signer(ledgerKey.privateKeyHex);
  try {
    // A ledger that a command begins begins as one that a server begins.
    await database.write((tx) => tellOpening(tx, ledger, ledgerKey));
    const sequencer = startSequencer({ database, signer, origin: ledgerKey.origin });
    try {
      const mismatch = await settled(() => sequencer.settle());
      if (mismatch !== undefined && !evenIfTampered) throw mismatch;
      return await work({ house, mismatch: mismatch?.message, settle: () => sequencer.settle() });
    } finally {
      await sequencer.stop();
    }
  } finally {
    await signer.close();
    await house.close();
  }
}

async function settled(settle: () => Promise<void>): Promise<Fault | undefined> {
  try {
    await settle();
    return undefined;
  } catch (error) {
    if (error instanceof Fault && error.code === 'ledger_mismatch') return error;
    throw error;
  }
}
