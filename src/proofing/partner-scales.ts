import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Fault } from '../shared/fault.ts';
import type { AssuranceLevel } from './levels.ts';

const level = z.literal([0, 1, 2, 3, 4]);
const STEP = z.strictObject({
  value: z.string().min(1).max(32),
  /** The lowest level of ours that is told as this value. */
  tell: level,
  /** The level we take a person for whom the partner tells us this value. */
  believe: level,
});

const SCALE = z.strictObject({
  title: z.string().min(1).max(80),
  /** From the lowest to the highest. */
  steps: z
    .array(STEP)
    .min(1)
    .max(10)
    .refine((steps) => new Set(steps.map(({ value }) => value)).size === steps.length, 'a value stands there twice')
    .refine(
      (steps) => steps.every(({ tell }, at) => at === 0 || tell > steps[at - 1]!.tell),
      'tell must rise from step to step',
    )
    .refine(
      (steps) => steps.every(({ believe }, at) => at === 0 || believe >= steps[at - 1]!.believe),
      'believe must not fall from step to step',
    )
    .refine(
      (steps) => steps.every(({ tell, believe }) => believe <= tell),
      'believe must not be above tell: a level would rise on its way there and back',
    ),
});
const SCALES = z.record(z.string().regex(/^[a-z][a-z0-9-]{1,39}$/), SCALE);

/** How one partner writes levels of identity proofing; from the lowest step to the highest. */
export type PartnerScale = z.infer<typeof SCALE>;
export type PartnerScales = Readonly<Record<string, PartnerScale>>;

/** The partner's word for a level of ours, or undefined when the scale begins above it. Pure. */
export const toPartner = (scale: PartnerScale, ial: AssuranceLevel): string | undefined =>
  scale.steps.findLast(({ tell }) => tell <= ial)?.value;

/** Our level for a partner's word, or undefined for a word that is not on the scale. Pure. */
export const fromPartner = (scale: PartnerScale, value: string): AssuranceLevel | undefined =>
  scale.steps.find((step) => step.value === value)?.believe;

const SHIPPED = new URL('../../config/assurance-scales.json', import.meta.url);

/** The scales of a file, or the shipped ones when it is empty. Throws `Fault('internal')` that names every fault of the file at once. */
export function loadPartnerScales(file: string): PartnerScales {
  const name = file === '' ? 'config/assurance-scales.json' : file;
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(file === '' ? SHIPPED : file, 'utf8'));
  } catch (error) {
    throw new Fault('internal', `The scales of partners cannot be read from ${name}.`, { cause: error });
  }
  const parsed = SCALES.safeParse(read);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Fault('internal', `${name} is not a table of scales:\n${faults.join('\n')}`);
}
