import { z } from 'zod';
import { choice, countOrAuto, isWebOrigin, text, whole } from './fields.ts';
import { account } from './sections-account.ts';
import { defence } from './sections-defence.ts';
import * as identity from './sections-identity.ts';
import { legalPersons } from './sections-legal-persons.ts';
import * as message from './sections-messages.ts';
import { monitoring } from './sections-monitoring.ts';
import { person } from './sections-person.ts';
import * as possession from './sections-possession.ts';
import * as proofing from './sections-proofing.ts';
import * as server from './sections-server.ts';
import { keyService, signer } from './sections-signer.ts';
import { staff } from './sections-staff.ts';
import { watch } from './sections-watch.ts';

export const PROFILES = ['demo', 'test', 'production'] as const;
export const POLICIES = ['citizen-default', 'mlps3'] as const;
export type Profile = (typeof PROFILES)[number];

/**
 * Every setting once: key, unit (the end of the name), limits, secret or not, one sentence. The defaults stand in
 * config/default.json; what settings demand of one another stands in relations.ts.
 */
export const configSchema = z.strictObject({
  profile: choice(PROFILES, 'What this server is for; production refuses everything that only suits a demonstration.'),
  policy: choice(
    POLICIES,
    'The defaults for passwords, sessions and limits: citizen-default, or mlps3 where the scheme of GB/T 22239 level 3 is applied to everybody (docs/policies.md). Each setting can still be set by itself.',
  ),
  issuer: z
    .string()
    .max(255)
    .refine(
      (value) => value === '' || isWebOrigin(value),
      'must be an origin such as https://id.example: no path, no slash at the end',
    )
    .meta({
      description:
        'The public address of this server and the iss of its tokens; empty means http://localhost with that port, which production refuses.',
    }),
  host: text(255, 'The local address to listen on.'),
  port: whole(0, 65_535, 'The port to listen on; 0 lets the system choose and needs an issuer.'),
  workers: countOrAuto(
    64,
    'Processes that serve on this machine, behind one address; auto means one for each processor core (docs/operations.md).',
  ),
  dataDir: text(1024, 'The folder of everything this server writes; it belongs to its user alone.'),
  messenger: choice(
    ['none', 'mailbox', 'gateway'],
    'How messages reach people; mailbox is a page for demo and test, gateway the SMS gateway of the section sms and, where smtp names one, a mail server.',
  ),
  masking: choice(
    ['strong', 'ordinary'],
    'How far a document number is hidden on pages and in id_number_masked: strong leaves its first and last character, ordinary the birth year and month as well.',
  ),
  database: server.database,
  redis: server.redis,
  http: server.http,
  log: server.log,
  session: identity.session,
  ttl: identity.ttl,
  password: identity.password,
  limits: identity.limits,
  defence,
  staff,
  account,
  passkeys: possession.passkeys,
  certificates: possession.certificates,
  scan: possession.scan,
  trustedDevice: possession.trustedDevice,
  person,
  registers: proofing.registers,
  recheck: proofing.recheck,
  assurance: proofing.assurance,
  registration: identity.registration,
  recovery: message.recovery,
  codes: message.codes,
  messages: message.messages,
  sms: message.sms,
  smtp: message.smtp,
  legalPersons,
  secrets: identity.secrets,
  keys: server.keys,
  signer,
  keyService,
  ledger: server.ledger,
  outbound: server.outbound,
  outbox: server.outbox,
  sweep: server.sweep,
  monitoring,
  watch,
  demo: server.demo,
  support: server.support,
  branding: server.branding,
});

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** The settings of one server: plain, frozen, complete. */
export type Config = DeepReadonly<z.infer<typeof configSchema>>;

type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [Key in keyof T]?: DeepPartial<T[Key]> }
    : T;

/** Some settings, in the shape of `Config`. */
export type ConfigOverrides = DeepPartial<Config>;

/** One setting as the loader and the reference see it. */
export interface Setting {
  readonly path: readonly string[];
  readonly schema: z.ZodType;
  readonly description: string;
  readonly secret: boolean;
}

function settingsOf(schema: z.ZodType, path: readonly string[]): readonly Setting[] {
  if (schema instanceof z.ZodObject) {
    return Object.entries<z.ZodType>(schema.shape).flatMap(([key, child]) => settingsOf(child, [...path, key]));
  }
  const meta = schema.meta();
  return [{ path, schema, description: meta?.description ?? '', secret: meta?.secret === true }];
}

/** All settings in the order of the schema. */
export const SETTINGS: readonly Setting[] = settingsOf(configSchema, []);

/**
 * The environment variable of a setting: `session.idleSeconds` is TONGBAN_SESSION_IDLE_SECONDS. The section `secrets` is left
 * out, so that `secrets.encryptionKey` is TONGBAN_ENCRYPTION_KEY.
 */
export function environmentName(path: readonly string[]): string {
  const named = path[0] === 'secrets' ? path.slice(1) : path;
  return ['TONGBAN', ...named.map((part) => part.replaceAll(/([A-Z])/g, '_$1').toUpperCase())].join('_');
}
