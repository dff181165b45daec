import type { KeyObject } from 'node:crypto';
import type { Severity } from '../../ledger/event-kind.ts';
import type { FieldMap } from './bodies/field-map.ts';
import type { BodyFormat } from './bodies/formats.ts';

/** Which events a feed takes: at least this loud, and of one of these types; an item that ends in `.` means all types it begins. */
export interface FeedFilter {
  readonly severityMin: Severity;
  /** Empty means all. */
  readonly types: readonly string[];
}

interface Common {
  /** Under this name the feed has its cursor and its dead letters. */
  readonly name: string;
  readonly format: BodyFormat;
  readonly fields: FieldMap;
  readonly filter: FeedFilter;
  /** Whether address and browser are told in the clear. */
  readonly reveal: boolean;
}

export interface SyslogTls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly serverName: string | undefined;
}

export interface SyslogSetting extends Common {
  readonly kind: 'syslog';
  readonly host: string;
  readonly port: number;
  /** Undefined means plain TCP. */
  readonly tls: SyslogTls | undefined;
  readonly enterpriseNumber: number;
}

export interface WebhookSetting extends Common {
  readonly kind: 'webhook';
  readonly url: string;
  readonly secret: KeyObject;
}

export interface FileSetting extends Common {
  readonly kind: 'file';
  readonly path: string;
  readonly bytesMax: number;
  /** All files together, the one being written among them. */
  readonly filesMax: number;
}

/** One feed as loaded and checked: files are read, addresses taken apart, field maps resolved. */
export type FeedSetting = SyslogSetting | WebhookSetting | FileSetting;

const LOUDNESS: readonly Severity[] = ['info', 'notice', 'warning', 'alert'];
export const SEVERITIES = LOUDNESS;

/** Whether a feed takes an event of this type and severity. */
export const passes = ({ severityMin, types }: FeedFilter, type: string, severity: Severity): boolean =>
  LOUDNESS.indexOf(severity) >= LOUDNESS.indexOf(severityMin) &&
  (types.length === 0 || types.some((wanted) => (wanted.endsWith('.') ? type.startsWith(wanted) : type === wanted)));
