import { z } from 'zod';
import { parseVerifierKey } from '../ledger/checkpoints/checkpoint.ts';
import type { AuditContext } from './audit-office.ts';
import { type ExitCode, flag, understand } from './audit-words.ts';

export const USAGE = `tongban audit key [--json]    the public key of the ledger, for auditors to keep
`;

const OPTIONS = { json: { type: 'boolean' } } as const;
const words = z.strictObject({ json: flag });

/** `tongban audit key`: what an auditor takes home before there is anything to doubt. */
export async function run(args: readonly string[], context: AuditContext): Promise<ExitCode> {
  const { words: asked } = understand(args, OPTIONS, words, USAGE);
  const house = await context.openHouse();
  try {
    const { origin, verifierKey } = house.ledgerKey;
    const keyId = parseVerifierKey(verifierKey)?.keyId.toString('hex') ?? '';
    const said = { origin, keyId, algorithm: 'SM2 with SM3 (GB/T 32918.2, GB/T 32905)', key: verifierKey };
    context.stdout.write(asked.json ? `${JSON.stringify(said)}\n` : textOf(said));
    return 0;
  } finally {
    await house.close();
  }
}

const textOf = ({
  origin,
  keyId,
  algorithm,
  key,
}: Readonly<Record<'origin' | 'keyId' | 'algorithm' | 'key', string>>): string => `${key}

# Ledger:     ${origin}
# Key id:     ${keyId}
# Algorithm:  ${algorithm}
#
# Keep the first line where nobody who runs this server can change it: print it and have it signed, or carry it on a USB stick of
# your own. It is public; what counts is that it is yours and that you took it before there was anything to doubt. Compare the key
# id by telephone with a second person. Bring it whenever you verify:
#   tongban audit verify --export FILE --key KEY
`;
