import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { der, oid, pemOf } from './certificate-maker.ts';

/** A certificate of the maker of devices, or of a device (WebAuthn Level 3, 8.2.1), and its key. */
export interface MakerCertificate {
  readonly name: string;
  readonly key: KeyObject;
  readonly der: Buffer;
  readonly pem: string;
}

export interface MakerWishes {
  readonly name: string;
  /** May sign others. */
  readonly authority?: boolean;
  /** Epoch seconds. */
  readonly from?: number;
  readonly to?: number;
  /** The address of a revocation list. */
  readonly revocationsAt?: string;
  /** Signs in place of the issuer. */
  readonly signer?: KeyObject;
}

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const ATTRIBUTES = { C: '2.5.4.6', O: '2.5.4.10', OU: '2.5.4.11', CN: '2.5.4.3' } as const;

const sequence = (...contents: readonly Uint8Array[]): Buffer => der(0x30, ...contents);
const truth = der(0x01, Buffer.of(0xff));
const text = (kind: number, value: string): Buffer => der(kind, Buffer.from(value));

const nameOf = (common: string): Buffer =>
  sequence(
    ...Object.entries({ C: 'CN', O: 'Maker', OU: 'Authenticator Attestation', CN: common }).map(([attribute, value]) =>
      der(
        0x31,
        sequence(oid(ATTRIBUTES[attribute as keyof typeof ATTRIBUTES]), text(attribute === 'C' ? 0x13 : 0x0c, value)),
      ),
    ),
  );

const timeOf = (at: number): Buffer =>
  text(
    0x18,
    `${new Date(at * 1000)
      .toISOString()
      .replace(/[-:T]|\.\d+/g, '')
      .slice(0, 14)}Z`,
  );

const extension = (id: string, value: Uint8Array, critical: boolean): Buffer =>
  sequence(oid(id), ...(critical ? [truth] : []), der(0x04, value));

/** Under an issuer; its own where there is none. */
export function makerCertificate(wishes: MakerWishes, issuer?: MakerCertificate): MakerCertificate {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { name, authority = false, from = 1_700_000_000, to = 4_000_000_000, revocationsAt, signer } = wishes;
  const part = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    sequence(oid(ECDSA_WITH_SHA256)),
    nameOf(issuer?.name ?? name),
    sequence(timeOf(from), timeOf(to)),
    nameOf(name),
    publicKey.export({ format: 'der', type: 'spki' }),
    der(
      0xa3,
      sequence(
        extension('2.5.29.19', sequence(...(authority ? [truth] : [])), true),
        ...(revocationsAt === undefined
          ? []
          : [extension('2.5.29.31', sequence(sequence(der(0xa0, der(0xa0, text(0x86, revocationsAt))))), false)]),
      ),
    ),
  );
  const signature = createSign('sha256')
    .update(part)
    .sign(signer ?? issuer?.key ?? key);
  const encoded = sequence(part, sequence(oid(ECDSA_WITH_SHA256)), der(0x03, Buffer.of(0), signature));
  return { name, key, der: encoded, pem: pemOf('CERTIFICATE', encoded) };
}
