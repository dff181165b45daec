import { z } from 'zod';
import { normalPhone } from './identifiers/contact.ts';

/** Control and direction characters would let a name rewrite the page or the log line it stands in (E7, G4). */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061C\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/u;

const line = (charsMax: number) =>
  z
    .string()
    .max(charsMax * 2)
    .transform((text) => text.normalize('NFC').trim())
    .refine((text) => text !== '' && Array.from(text).length <= charsMax && !UNPRINTABLE.test(text));

/**
 * What may be stored about a person beside the ID number; every way in (command line, registration, console) parses with it.
 * A phone number is E.164; a mainland mobile number may be given without its country code.
 */
export const personDetailsSchema = z.strictObject({
  name: line(100),
  phone: z
    .string()
    .max(32)
    .transform((text) => normalPhone(text) ?? '')
    .refine((text) => text !== '')
    .optional(),
  email: z.string().trim().max(254).pipe(z.email()).optional(),
  address: line(300).optional(),
});

export type PersonDetails = z.infer<typeof personDetailsSchema>;

/** The same for somebody who gave no name, as only a person with a network number may. */
const namelessSchema = personDetailsSchema.omit({ name: true });

type DetailsOutcome<Details> =
  | { readonly ok: true; readonly details: Details }
  | { readonly ok: false; readonly field: string };

/** The details in normal form, or the name of the first field that is not acceptable. */
export const parsePersonDetails = (input: unknown): DetailsOutcome<PersonDetails> => read(personDetailsSchema, input);

export const parseNamelessDetails = (input: unknown): DetailsOutcome<Omit<PersonDetails, 'name'>> =>
  read(namelessSchema, input);

function read<Details>(schema: z.ZodType<Details>, input: unknown): DetailsOutcome<Details> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return { ok: true, details: parsed.data };
  return { ok: false, field: String(parsed.error.issues[0]?.path[0] ?? 'details') };
}
