import { randomBytes } from 'node:crypto';
import { sm2SignatureToDer } from '../../src/crypto/sm2/der.ts';
import { readSm2PrivateKey, type Sm2PrivateKey, type Sm2PublicKey, signSm2 } from '../../src/crypto/sm2/sm2.ts';

/** What stands in a certificate; everything a test may want to be wrong. Times are epoch seconds. */
export interface CertificateWishes {
  readonly subject: string;
  readonly validFrom: number;
  readonly validTo: number;
  readonly serial?: number;
  /** Bits of the key usage; undefined leaves the extension out. */
  readonly usage?: readonly number[] | undefined;
  readonly authority?: { readonly pathLength?: number };
  readonly purpose?: string;
  /** The identifier of a critical extension nobody knows. */
  readonly critical?: string;
  /** Whose key it is, where that is not a new one. */
  readonly holder?: Sm2PublicKey;
  /** Signs in place of the issuer. */
  readonly signer?: Sm2PrivateKey;
  readonly algorithm?: string;
}

export interface MadeCertificate {
  readonly key: Sm2PrivateKey;
  readonly subject: string;
  readonly der: Buffer;
  readonly pem: string;
}

const SM2_WITH_SM3 = '1.2.156.10197.1.501';

/** One DER element (X.690), written by this file alone, so that the reader is judged by something else than itself. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.of(tag, ...head), content]);
}

const sequence = (...contents: readonly Uint8Array[]): Buffer => der(0x30, ...contents);
const octets = (...contents: readonly Uint8Array[]): Buffer => der(0x04, ...contents);
const bits = (content: Uint8Array, unused = 0): Buffer => der(0x03, Buffer.of(unused), content);
const truth = der(0x01, Buffer.of(0xff));

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const groups = [first * 40 + second, ...rest].flatMap((value) => {
    const digits = [value & 127];
    for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left & 127) | 128);
    return digits;
  });
  return der(0x06, Buffer.from(groups));
}

function whole(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return der(0x02, bytes[0]! > 127 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

const time = (at: number): Buffer =>
  der(
    0x18,
    Buffer.from(
      `${new Date(at * 1000)
        .toISOString()
        .replace(/[-:T]|\.\d+/g, '')
        .slice(0, 14)}Z`,
    ),
  );
const name = (text: string): Buffer => sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(text)))));

function usageBits(numbers: readonly number[]): Buffer {
  const bytes = [0];
  for (const number of numbers) bytes[0]! |= 0x80 >> number;
  const unused = 7 - Math.max(...numbers);
  return bits(Buffer.from(bytes), unused);
}

const extension = (id: string, value: Uint8Array, critical = true): Buffer =>
  sequence(oid(id), ...(critical ? [truth] : []), octets(value));

export const freshKey = (): Sm2PrivateKey => {
  const bytes = randomBytes(32);
  bytes[0] = 1;
  return readSm2PrivateKey(bytes);
};

export const pemOf = (label: string, bytes: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(bytes).toString('base64')}\n-----END ${label}-----\n`;

function sealed(part: Buffer, algorithm: string, key: Sm2PrivateKey): Buffer {
  return sequence(part, sequence(oid(algorithm)), bits(sm2SignatureToDer(signSm2(part, key))));
}

/** A certificate under an issuer; its own where there is none. */
export function makeCertificate(wishes: CertificateWishes, issuer?: MadeCertificate): MadeCertificate {
  const key = freshKey();
  const algorithm = wishes.algorithm ?? SM2_WITH_SM3;
  const extensions = [
    ...(wishes.authority
      ? [
          extension(
            '2.5.29.19',
            sequence(truth, ...(wishes.authority.pathLength === undefined ? [] : [whole(wishes.authority.pathLength)])),
          ),
        ]
      : []),
    ...(wishes.usage ? [extension('2.5.29.15', usageBits(wishes.usage))] : []),
    ...(wishes.purpose ? [extension('2.5.29.37', sequence(oid(wishes.purpose)), false)] : []),
    ...(wishes.critical ? [extension(wishes.critical, sequence())] : []),
  ];
  const part = sequence(
    der(0xa0, whole(2)),
    whole(wishes.serial ?? randomBytes(4).readUInt32BE()),
    sequence(oid(algorithm)),
    name(issuer?.subject ?? wishes.subject),
    sequence(time(wishes.validFrom), time(wishes.validTo)),
    name(wishes.subject),
    sequence(
      sequence(oid('1.2.840.10045.2.1'), oid('1.2.156.10197.1.301')),
      bits((wishes.holder ?? key.publicKey).bytes),
    ),
    ...(extensions.length > 0 ? [der(0xa3, sequence(...extensions))] : []),
  );
  const encoded = sealed(part, algorithm, wishes.signer ?? issuer?.key ?? key);
  return { key, subject: wishes.subject, der: encoded, pem: pemOf('CERTIFICATE', encoded) };
}

/** A list of void serial numbers, PEM. */
export function makeRevocationList(
  authority: MadeCertificate,
  { serials, from, to, signer }: { serials: readonly number[]; from: number; to: number; signer?: Sm2PrivateKey },
): string {
  const entries = serials.map((serial) => sequence(whole(serial), time(from)));
  const part = sequence(
    whole(1),
    sequence(oid(SM2_WITH_SM3)),
    name(authority.subject),
    time(from),
    time(to),
    ...(entries.length > 0 ? [sequence(...entries)] : []),
  );
  return pemOf('X509 CRL', sealed(part, SM2_WITH_SM3, signer ?? authority.key));
}

/** What a person pastes back: the certificate, and the text signed by its key or another. */
export const answerOf = ({ pem, key }: MadeCertificate, text: string, signer = key): string =>
  pem + pemOf('TONGBAN SIGNATURE', sm2SignatureToDer(signSm2(Buffer.from(text), signer)));
