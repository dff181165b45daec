const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]*)-----END \1-----/g;
const BLOCKS_MAX = 100;

/** The bytes of every block with this label (RFC 7468), in their order. What stands between blocks is passed over. */
export function pemBlocks(text: string, label: string): readonly Buffer[] {
  return [...text.matchAll(BLOCK)]
    .slice(0, BLOCKS_MAX)
    .flatMap(([, name, body = '']) => (name === label ? [Buffer.from(body, 'base64')] : []));
}
