import { randomSecret } from '../shared/random.ts';

const RATE = 8000;
const TONE_SECONDS = 0.16;
const GAP_SECONDS = 0.16;
const PAUSE_SECONDS = 0.9;
const MARK_HERTZ = 220;
const LOUDNESS = 70;
const NOISE = 10;
const SILENCE = 128;
const HEADER_BYTES = 44;

/**
 * The digits as tones to be counted: before each a low one, then as many high ones as the digit says. Understood in every language, and made of
 * sines, so that no voice has to be recorded. WAV, 8 bits, 8 kHz, mono (RIFF).
 */
export function soundDigits(digits: string): Buffer {
  const samples: number[] = [];
  const silence = (seconds: number): void => {
    for (let n = 0; n < seconds * RATE; n += 1) samples.push(SILENCE);
  };
  const tone = (hertz: number, seconds: number): void => {
    const count = Math.round(seconds * RATE);
    for (let n = 0; n < count; n += 1) {
      // Swelling in and out: a hard edge is a click.
      const swell = Math.min(1, n / 200, (count - n) / 200);
      samples.push(SILENCE + Math.round(LOUDNESS * swell * Math.sin((2 * Math.PI * hertz * n) / RATE)));
    }
  };
  silence(GAP_SECONDS);
  for (const digit of digits) {
    tone(MARK_HERTZ, TONE_SECONDS * 2);
    silence(GAP_SECONDS * 2);
    const hertz = 600 + (randomSecret(1)[0] ?? 0) * 1.5;
    for (let n = 0; n < Number(digit); n += 1) {
      tone(hertz, TONE_SECONDS);
      silence(GAP_SECONDS);
    }
    silence(PAUSE_SECONDS);
  }
  const noise = randomSecret(samples.length);
  return wave(samples.map((sample, n) => sample + ((noise[n] ?? 0) % NOISE) - NOISE / 2));
}

function wave(samples: readonly number[]): Buffer {
  const file = Buffer.alloc(HEADER_BYTES + samples.length);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(HEADER_BYTES - 8 + samples.length, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(RATE, 24);
  file.writeUInt32LE(RATE, 28);
  file.writeUInt16LE(1, 32);
  file.writeUInt16LE(8, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(samples.length, 40);
  for (const [n, sample] of samples.entries()) file[HEADER_BYTES + n] = Math.max(0, Math.min(255, sample));
  return file;
}
