import { createHash, createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

const FLAGS = { present: 0x01, verified: 0x04, eligible: 0x08, backedUp: 0x10, attested: 0x40 } as const;

/** What a device does otherwise than it should. */
export interface Oddity {
  readonly origin?: string;
  readonly rpId?: string;
  readonly type?: string;
  readonly challenge?: string;
  readonly crossOrigin?: boolean;
  readonly verified?: boolean;
  readonly present?: boolean;
  readonly counter?: number;
  readonly userHandle?: string;
  readonly credential?: string;
  readonly signature?: string;
}

/** The fields of a form as the script of our pages fills them. */
export type Fields = Readonly<Record<string, string>>;

/** A device that holds one passkey: an independent reading of WebAuthn Level 3, sections 6.1 and 6.5. */
export interface Authenticator {
  readonly credential: string;
  /** Of `data-options` of the form on a page. */
  create(options: string, oddity?: Oddity): Fields;
  get(options: string, oddity?: Oddity): Fields;
  /** Another device with the same key and the same counter. */
  clone(): Authenticator;
}

const sha256 = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest();
const text = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url');

/** CBOR (RFC 8949) of the few shapes a credential needs. */
function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  const pairs = [...(value as Map<unknown, unknown>)];
  return Buffer.concat([head(5, pairs.length), ...pairs.flatMap(([key, held]) => [cbor(key), cbor(held)])]);
}

function head(major: number, size: number): Buffer {
  if (size < 24) return Buffer.of((major << 5) | size);
  if (size < 256) return Buffer.of((major << 5) | 24, size);
  return Buffer.of((major << 5) | 25, size >> 8, size & 255);
}

interface Held {
  readonly id: Buffer;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  counter: number;
  handle: string;
}

/** By whom it was made: certificates, its own first, and the key of that. */
export interface Made {
  readonly chain: readonly Uint8Array[];
  readonly key: KeyObject;
}

export interface Kind {
  /** What it signs for its model, if anything. */
  readonly attestation?: 'none' | 'self' | Made;
  readonly synced?: boolean;
  /** A device that counts begins at 0 and adds one; one that does not says 0 for ever. */
  readonly counts?: boolean;
}

const AAGUID = Buffer.alloc(16, 7);

export function createAuthenticator(origin: string, kind: Kind = {}, held?: Held): Authenticator {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own: Held = held ?? { id: randomBytes(32), privateKey, publicKey, counter: 0, handle: '' };
  const counts = kind.counts ?? true;

  const clientData = (type: string, challenge: string, oddity: Oddity): string =>
    text(
      JSON.stringify({
        type: oddity.type ?? type,
        challenge: oddity.challenge ?? challenge,
        origin: oddity.origin ?? origin,
        crossOrigin: oddity.crossOrigin ?? false,
      }),
    );
  const authenticatorData = (rpId: string, oddity: Oddity, more: readonly Buffer[] = []): Buffer => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(oddity.counter ?? (counts ? own.counter : 0));
    const flags =
      ((oddity.present ?? true) ? FLAGS.present : 0) |
      ((oddity.verified ?? true) ? FLAGS.verified : 0) |
      (kind.synced ? FLAGS.eligible | FLAGS.backedUp : 0) |
      (more.length > 0 ? FLAGS.attested : 0);
    return Buffer.concat([sha256(oddity.rpId ?? rpId), Buffer.of(flags), counter, ...more]);
  };
  const sign = (data: Buffer, client: string, key: KeyObject = own.privateKey): Buffer =>
    createSign('sha256')
      .update(Buffer.concat([data, sha256(Buffer.from(client, 'base64url'))]))
      .sign(key);
  /** WebAuthn Level 3, 8.2. */
  const statementOf = (data: Buffer, client: string): Map<string, unknown> => {
    const { attestation = 'none' } = kind;
    if (attestation === 'none') return new Map();
    const made = attestation === 'self' ? undefined : attestation;
    const signed: [string, unknown][] = [
      ['alg', -7],
      ['sig', sign(data, client, made?.key)],
    ];
    return new Map(made === undefined ? signed : [...signed, ['x5c', [...made.chain]]]);
  };

  return {
    credential: text(own.id),
    create(options, oddity = {}) {
      const { challenge, rp, user } = JSON.parse(options);
      own.handle = user.id;
      const { x = '', y = '' } = own.publicKey.export({ format: 'jwk' });
      const key = new Map<number, unknown>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, Buffer.from(x, 'base64url')],
        [-3, Buffer.from(y, 'base64url')],
      ]);
      const length = Buffer.of(0, own.id.length);
      const client = clientData('webauthn.create', challenge, oddity);
      const data = authenticatorData(rp.id, oddity, [AAGUID, length, own.id, cbor(key)]);
      const attestation = cbor(
        new Map<string, unknown>([
          ['fmt', (kind.attestation ?? 'none') === 'none' ? 'none' : 'packed'],
          ['attStmt', statementOf(data, client)],
          ['authData', data],
        ]),
      );
      return {
        credential: oddity.credential ?? text(own.id),
        clientData: client,
        attestation: text(attestation),
        transports: 'internal',
      };
    },
    get(options, oddity = {}) {
      const { challenge, rpId } = JSON.parse(options);
      if (oddity.counter === undefined) own.counter += 1;
      const client = clientData('webauthn.get', challenge, oddity);
      const data = authenticatorData(rpId, oddity);
      return {
        credential: oddity.credential ?? text(own.id),
        clientData: client,
        authenticatorData: text(data),
        signature: oddity.signature ?? text(sign(data, client)),
        userHandle: oddity.userHandle ?? own.handle,
      };
    },
    clone: () => createAuthenticator(origin, kind, { ...own }),
  };
}

/** What the first form of a page whose action ends in `action` hands to its script. */
export function optionsIn(page: string, action: string): string {
  const [, options] = new RegExp(`action="[^"]*${action}"[^>]*data-options="([^"]*)"`).exec(page) ?? [];
  if (options === undefined) throw new Error(`no form ${action} for a script on this page`);
  return options.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&');
}
