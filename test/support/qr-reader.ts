import jsqr from 'jsqr';
import { PNG } from 'pngjs';

/** What a QR code in a picture says, as a camera would read it; undefined where there is none. */
export function readQr(png: Uint8Array): string | undefined {
  const { width, height, data } = PNG.sync.read(png);
  // The package is CommonJS that carries its function as a member of itself as well.
  return jsqr.default(new Uint8ClampedArray(data), width, height)?.data;
}
