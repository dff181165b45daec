import { z } from 'zod';

const SECRET_CHARACTERS_MIN = 43; // 32 random bytes in base64url
const SECRET_CHARACTERS_MAX = 256;

export const whole = (min: number, max: number, description: string) => z.int().min(min).max(max).meta({ description });

/** A number of at least one, or the word that leaves it to the machine. */
export const countOrAuto = (max: number, description: string) => {
  const error = `must be auto or a whole number from 1 to ${max}`;
  const count = z.int({ error }).min(1, { error }).max(max, { error });
  return z.union([z.literal('auto'), count], { error }).meta({ description });
};

export const flag = (description: string) => z.boolean().meta({ description });

export const text = (max: number, description: string) => z.string().trim().min(1).max(max).meta({ description });

export const choice = <const Values extends readonly [string, ...string[]]>(values: Values, description: string) =>
  z.enum(values).meta({ description });

export const list = <Item extends z.ZodType>(item: Item, max: number, description: string) =>
  z.array(item).max(max).meta({ description });

const SECRET = z
  .string()
  .regex(/^[A-Za-z0-9_-]*$/, 'must be base64url: letters, digits, - and _')
  .refine(
    (value) => value === '' || value.length >= SECRET_CHARACTERS_MIN,
    'must hold at least 32 random bytes (43 characters)',
  )
  .refine((value) => value.length <= SECRET_CHARACTERS_MAX, `must have at most ${SECRET_CHARACTERS_MAX} characters`);

/** A key of at least 32 random bytes in base64url, or empty: then it is generated in the data folder. */
export const secret = (description: string) => SECRET.meta({ description, secret: true });

export const secretList = (max: number, description: string) =>
  z
    .array(SECRET.refine((value) => value !== '', 'must not be empty'))
    .max(max)
    .meta({ description, secret: true });

/** An address of a store with one of these schemes, or empty. Secret, because it may carry a password. */
export const storeUrl = (schemes: readonly string[], description: string) =>
  z
    .string()
    .max(2048)
    .refine((value) => value === '' || (URL.canParse(value) && schemes.includes(new URL(value).protocol)), {
      error: `must be empty or a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`,
    })
    .meta({ description, secret: true });

/** The same for a store of several servers: addresses separated by commas, all with one scheme. */
export const storeUrls = (schemes: readonly string[], description: string) => {
  const areOfOneScheme = (value: string): boolean => {
    const addresses = value.split(',').map((address) => address.trim());
    if (!addresses.every((address) => URL.canParse(address))) return false;
    const used = new Set(addresses.map((address) => new URL(address).protocol));
    return used.size === 1 && schemes.includes([...used][0]!);
  };
  return z
    .string()
    .max(2048)
    .refine((value) => value === '' || areOfOneScheme(value), {
      error: `must be empty or URLs, separated by commas, that all begin with ${schemes.map((scheme) => `${scheme}//`).join(' or with ')}`,
    })
    .meta({ description, secret: true });
};

/** True for `scheme://host[:port]` of http(s) and nothing after it: no path, query, fragment or credentials. */
export function isWebOrigin(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return (url.protocol === 'https:' || url.protocol === 'http:') && url.origin === value;
}

/** The path of a file, or empty. */
export const filePath = (description: string) => z.string().trim().max(1024).meta({ description });

/** True for the address of a service that paths are put behind: http(s), no credentials, no slash, query or fragment at its end. */
export function isServiceUrl(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return false;
  return url.href.replace(/\/$/, '') === value && url.search === '' && url.hash === '' && url.username === '';
}
