import { crc32, deflateSync } from 'node:zlib';
import { randomSecret } from '../shared/random.ts';

/** Shown at half this size and less: it stays sharp when a page is enlarged to 200 % (WCAG 1.4.4). */
const WIDTH = 640;
const HEIGHT = 200;
const INK = 5.5;
const SCRATCH = 2;
const SCRATCHES = 7;
const SPECKLES = 500;
const PAPER = 248;

type Point = readonly [x: number, y: number];
type Line = readonly Point[];

/** The digits as lines in a box of one by one, drawn here. */
const SHAPES: Readonly<Record<string, readonly Line[]>> = {
  '1': [
    [
      [0.25, 0.25],
      [0.55, 0.05],
      [0.55, 0.95],
    ],
    [
      [0.3, 0.95],
      [0.8, 0.95],
    ],
  ],
  '2': [
    [
      [0.15, 0.25],
      [0.3, 0.07],
      [0.6, 0.05],
      [0.82, 0.22],
      [0.75, 0.45],
      [0.15, 0.95],
      [0.87, 0.95],
    ],
  ],
  '3': [
    [
      [0.15, 0.08],
      [0.8, 0.08],
      [0.45, 0.42],
      [0.75, 0.5],
      [0.84, 0.72],
      [0.65, 0.93],
      [0.35, 0.95],
      [0.13, 0.82],
    ],
  ],
  '4': [
    [
      [0.65, 0.95],
      [0.65, 0.05],
      [0.1, 0.68],
      [0.9, 0.68],
    ],
  ],
  '5': [
    [
      [0.8, 0.06],
      [0.25, 0.06],
      [0.2, 0.45],
      [0.55, 0.4],
      [0.83, 0.58],
      [0.78, 0.84],
      [0.45, 0.96],
      [0.14, 0.84],
    ],
  ],
  '6': [
    [
      [0.75, 0.1],
      [0.5, 0.05],
      [0.22, 0.35],
      [0.15, 0.68],
      [0.35, 0.95],
      [0.65, 0.95],
      [0.84, 0.72],
      [0.65, 0.5],
      [0.3, 0.53],
      [0.16, 0.68],
    ],
  ],
};

/** Drawn anew at every call: turned, leaning, waved and scratched over. PNG, greyscale. */
export function drawDigits(digits: string): Buffer {
  const random = randomNumbers();
  const between = (low: number, high: number): number => low + random() * (high - low);
  const sheet = Buffer.alloc(WIDTH * HEIGHT, PAPER);
  const wave = { height: between(4, 9), length: between(90, 150), shift: between(0, 6) };
  const cell = WIDTH / (digits.length + 0.6);
  for (const [at, digit] of [...digits].entries()) {
    const placed = placing(cell * (at + 0.8), between);
    for (const line of SHAPES[digit] ?? []) draw(sheet, line.map(placed).map(waved(wave)), INK, between(30, 75));
  }
  for (let n = 0; n < SCRATCHES; n += 1) {
    const ends: Line = [
      [between(0, WIDTH * 0.4), between(20, HEIGHT - 20)],
      [between(WIDTH * 0.4, WIDTH * 0.6), between(20, HEIGHT - 20)],
      [between(WIDTH * 0.6, WIDTH), between(20, HEIGHT - 20)],
    ];
    draw(sheet, ends, SCRATCH, between(60, 130));
  }
  for (let n = 0; n < SPECKLES; n += 1) {
    const x = between(2, WIDTH - 3);
    const y = between(2, HEIGHT - 3);
    draw(
      sheet,
      [
        [x, y],
        [x + 1, y],
      ],
      1,
      between(90, 190),
    );
  }
  return png(sheet);
}

/** Numbers from 0 to 1 for shapes, not for secrets; drawn in one piece. */
function randomNumbers(): () => number {
  const drawn = randomSecret(8192);
  let at = 0;
  return () => {
    at = (at + 2) % (drawn.length - 1);
    return drawn.readUInt16BE(at) / 65_535;
  };
}

/** Where the points of one digit go: its own size, turn and lean. */
function placing(centre: number, between: (low: number, high: number) => number): (point: Point) => Point {
  const [width, height] = [between(58, 74), between(100, 128)];
  const turn = between(-0.3, 0.3);
  const lean = between(-0.25, 0.25);
  const middle = HEIGHT / 2 + between(-16, 16);
  return ([x, y]) => {
    const [u, v] = [(x - 0.5) * width + (0.5 - y) * lean * height, (y - 0.5) * height];
    return [centre + u * Math.cos(turn) - v * Math.sin(turn), middle + u * Math.sin(turn) + v * Math.cos(turn)];
  };
}

const waved =
  ({ height, length, shift }: { readonly height: number; readonly length: number; readonly shift: number }) =>
  ([x, y]: Point): Point => [
    x + height * Math.sin(y / (length / 2) + shift),
    y + height * Math.sin(x / length + shift),
  ];

/** A line with round ends and soft edges. */
function draw(sheet: Buffer, line: Line, radius: number, shade: number): void {
  for (let n = 1; n < line.length; n += 1) stroke(sheet, line[n - 1]!, line[n]!, radius, shade);
}

function stroke(sheet: Buffer, [x1, y1]: Point, [x2, y2]: Point, radius: number, shade: number): void {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const squared = dx * dx + dy * dy || 1;
  const from = (low: number): number => Math.max(0, Math.floor(low - radius - 1));
  const to = (high: number, most: number): number => Math.min(most - 1, Math.ceil(high + radius + 1));
  for (let y = from(Math.min(y1, y2)); y <= to(Math.max(y1, y2), HEIGHT); y += 1) {
    for (let x = from(Math.min(x1, x2)); x <= to(Math.max(x1, x2), WIDTH); x += 1) {
      const along = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / squared));
      const away = Math.hypot(x - x1 - along * dx, y - y1 - along * dy);
      const cover = Math.max(0, Math.min(1, radius + 0.5 - away));
      const at = y * WIDTH + x;
      if (cover > 0) sheet[at] = Math.min(sheet[at] ?? 0, Math.round(PAPER + (shade - PAPER) * cover));
    }
  }
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** PNG, 8 bits of grey, rows unfiltered (ISO/IEC 15948). */
function png(sheet: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  header[8] = 8;
  const rows = Buffer.alloc((WIDTH + 1) * HEIGHT);
  for (let y = 0; y < HEIGHT; y += 1) sheet.copy(rows, y * (WIDTH + 1) + 1, y * WIDTH, (y + 1) * WIDTH);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(content.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
