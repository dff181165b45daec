/** The other forms of keys, signatures and ciphertexts that tools around us speak (GB/T 35276, SEC 1, RFC 5480). */

const element = (tag: number, content: Uint8Array): Buffer => {
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...head), content]);
};

function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const number = Buffer.from(bytes.subarray(first < 0 ? bytes.length - 1 : first));
  return element(2, number[0]! < 0x80 ? number : Buffer.concat([Buffer.of(0), number]));
}

/** What stands in the elements of a SEQUENCE, one after the other. */
function contents(der: Buffer): readonly Buffer[] {
  const take = (at: number): { readonly start: number; readonly end: number } => {
    const first = der[at + 1]!;
    const more = first < 0x80 ? 0 : first & 0x7f;
    const length = more === 0 ? first : der.readUIntBE(at + 2, more);
    return { start: at + 2 + more, end: at + 2 + more + length };
  };
  const found: Buffer[] = [];
  let { start: at } = take(0);
  while (at < der.length) {
    const { start, end } = take(at);
    found.push(der.subarray(start, end));
    at = end;
  }
  return found;
}

const number = (content: Buffer): Buffer => {
  const padded = Buffer.concat([Buffer.alloc(32), content]);
  return padded.subarray(padded.length - 32);
};

/** SEQUENCE { r, s }. */
export const derSignature = (raw: Uint8Array): Buffer =>
  element(0x30, Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]));

export const rawSignature = (der: Buffer): Buffer => Buffer.concat(contents(der).map(number));

/** SEQUENCE { x, y, C3, C2 } of 04 || X || Y || C3 || C2. */
export const derCiphertext = (raw: Uint8Array): Buffer =>
  element(
    0x30,
    Buffer.concat([
      integer(raw.subarray(1, 33)),
      integer(raw.subarray(33, 65)),
      element(4, raw.subarray(65, 97)),
      element(4, raw.subarray(97)),
    ]),
  );

export function rawCiphertext(der: Buffer): Buffer {
  const [x, y, c3, c2] = contents(der);
  return Buffer.concat([Buffer.of(4), number(x!), number(y!), c3!, c2!]);
}

const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64')}\n-----END ${label}-----\n`;

/** A public key of 65 bytes as SubjectPublicKeyInfo. */
export const publicPem = (publicKey: Uint8Array): string =>
  pem(
    'PUBLIC KEY',
    Buffer.concat([Buffer.from('3059301306072a8648ce3d020106082a811ccf5501822d034200', 'hex'), publicKey]),
  );

export const privatePem = (d: Uint8Array, publicKey: Uint8Array): string =>
  pem(
    'EC PRIVATE KEY',
    Buffer.concat([
      Buffer.from('30770201010420', 'hex'),
      d,
      Buffer.from('a00a06082a811ccf5501822da144034200', 'hex'),
      publicKey,
    ]),
  );
