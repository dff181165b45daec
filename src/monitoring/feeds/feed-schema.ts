import { isIP } from 'node:net';
import { z } from 'zod';
import { EVENTS } from '../../ledger/events.ts';
import { FORMAT_NAMES } from './bodies/formats.ts';
import { EXAMPLE_ENTERPRISE } from './syslog-frame.ts';

export const FEEDS_MAX = 20;
const ADDRESS_CHARACTERS_MAX = 1024;
const FIELDS_MAX = 100;
const TYPES_MAX = 100;

const whole = (min: number, max: number) => z.int().min(min).max(max);
const path = z.string().min(1).max(ADDRESS_CHARACTERS_MAX);

const matchesCatalogue = (wanted: string): boolean =>
  Object.keys(EVENTS).some((type) => (wanted.endsWith('.') ? type.startsWith(wanted) : type === wanted));

const filter = z.strictObject({
  severityMin: z.enum(['info', 'notice', 'warning', 'alert']).default('info'),
  types: z
    .array(
      z.string().max(64).refine(matchesCatalogue, 'is no event type, and no beginning of one with a dot at its end'),
    )
    .max(TYPES_MAX)
    .default([]),
});

const common = {
  name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be up to 32 small letters, digits and hyphens'),
  format: z.enum(FORMAT_NAMES).default('json'),
  fields: z
    .record(z.string(), z.string().max(64).nullable())
    .refine((fields) => Object.keys(fields).length <= FIELDS_MAX, `must have at most ${FIELDS_MAX} fields`)
    .default({}),
  filter: filter.default({ severityMin: 'info', types: [] }),
  reveal: z.boolean().default(false),
};

const urlOf = (value: string): URL | null => (value.length > ADDRESS_CHARACTERS_MAX ? null : URL.parse(value));
const bare = ({ username, password, search, hash }: URL): boolean => `${username}${password}${search}${hash}` === '';

const syslogAddress = z.string().refine((value) => {
  const url = urlOf(value);
  const known = url?.protocol === 'tcp:' || url?.protocol === 'tls:';
  return url !== null && known && url.hostname !== '' && bare(url) && url.port !== '' && /^\/?$/.test(url.pathname);
}, 'must be tls://host:port or tcp://host:port');

const webhookAddress = z.string().refine((value) => {
  const url = urlOf(value);
  return (
    url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.hash === ''
  );
}, 'must be an https address without a name or password in it');

const syslog = z.strictObject({
  ...common,
  kind: z.literal('syslog'),
  address: syslogAddress,
  tls: z
    .strictObject({
      caFile: path.optional(),
      certFile: path.optional(),
      keyFile: path.optional(),
      serverName: z.string().min(1).max(255).optional(),
    })
    .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
      error: 'must have certFile and keyFile together, or neither',
    })
    .optional(),
  enterpriseNumber: whole(1, 4_294_967_295).default(EXAMPLE_ENTERPRISE),
});

const webhook = z.strictObject({ ...common, kind: z.literal('webhook'), address: webhookAddress, secretFile: path });

const file = z.strictObject({
  ...common,
  kind: z.literal('file'),
  address: path.refine((value) => !value.includes('\0'), 'must be a path'),
  bytesMax: whole(1_048_576, 1_099_511_627_776).default(67_108_864),
  filesMax: whole(2, 1000).default(10),
});

/** One feed as it is written in the feeds file. Strict: a member it does not know is a mistake, not a wish. */
export const feedSchema = z
  .discriminatedUnion('kind', [syslog, webhook, file], { error: 'must have a kind: syslog, webhook or file' })
  .superRefine((feed, context) => {
    const complain = (where: string, message: string) => context.addIssue({ code: 'custom', path: [where], message });
    const { address, reveal, kind } = feed;
    const open = /^(?:tcp|http):/.test(address);
    if (kind === 'syslog' && open && feed.tls !== undefined)
      complain('tls', 'needs an address that begins with tls://');
    if (kind !== 'file' && reveal && open && !isLoopback(address)) {
      complain('reveal', 'needs an address that begins with tls:// or https://, unless it is on this machine');
    }
  });

export type FeedRecord = z.infer<typeof feedSchema>;

/** The host of an address without the brackets of IPv6. */
export const hostOf = (address: string): string => (URL.parse(address)?.hostname ?? '').replaceAll(/^\[|\]$/g, '');

function isLoopback(address: string): boolean {
  const host = hostOf(address);
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
