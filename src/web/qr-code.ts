import encodeQR from 'qr';

/** A QR code as one path of squares on a grid of `size`, with the quiet zone the standard wants around it (ISO/IEC 18004). */
export interface QrCode {
  readonly size: number;
  readonly path: string;
}

const QUIET = 4;

/** Draws a text, of at most a few hundred characters, so that a camera reads it from a screen. */
export function qrCode(text: string): QrCode {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: QUIET });
  const squares = rows.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
  return { size: rows.length, path: squares.join('') };
}
