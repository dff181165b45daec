import { sm3 } from '../../crypto/digests.ts';
import type { Severity } from '../../ledger/event-kind.ts';
import type { FeedMessage } from './feed.ts';

/** Log audit (RFC 5424 table 1). */
const FACILITY = 13;
const SEVERITY: Readonly<Record<Severity, number>> = { info: 6, notice: 5, warning: 4, alert: 1 };
const APP_NAME = 'tongban';
const BOM = '\ufeff';
const NIL = '-';
const HOSTNAME_CHARACTERS_MAX = 255;
const MSGID_CHARACTERS_MAX = 32;

/** The number kept for documents (RFC 5612): a house with an enterprise number of its own configures it. */
export const EXAMPLE_ENTERPRISE = 32_473;

/** A header field: visible ASCII only, `-` when nothing is left (RFC 5424 6). */
const headerField = (value: string, charactersMax: number): string =>
  value.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, charactersMax) || NIL;

/** A value of structured data: `"`, `\` and `]` escaped (RFC 5424 6.3.3); line breaks and controls have no escape there. */
const paramValue = (value: string): string => value.replaceAll(/\p{Cc}/gu, '?').replaceAll(/["\\\]]/g, '\\$&');

const param = (name: string, value: string | number | null): string =>
  value === null ? '' : ` ${name}="${paramValue(String(value))}"`;

/** SM3 over the texts of a batch with line feeds between them, in hexadecimal. */
export const batchDigest = (batch: readonly FeedMessage[]): string =>
  sm3(batch.map(({ text }) => text).join('\n')).toString('hex');

/**
 * A batch as it goes over the wire: RFC 5424 messages, each behind its length in octets (RFC 6587 3.4.1, RFC 5425 4.3). The
 * structured data carry the numbers of the message and of the one before, the numbers of the batch, and its SM3 digest.
 */
export function syslogFrames(batch: readonly FeedMessage[], enterprise: number): Buffer {
  const digest = batchDigest(batch);
  const range = `${batch[0]?.seq ?? NIL}-${batch.at(-1)?.seq ?? NIL}`;
  const frames: Buffer[] = [];
  for (const { seq, previous, ts, node, type, severity, text } of batch) {
    const params = [
      param('seq', seq),
      param('prev', previous),
      param('type', type),
      param('batch', range),
      param('sm3', digest),
    ].join('');
    const host = headerField(node, HOSTNAME_CHARACTERS_MAX);
    const id = headerField(type, MSGID_CHARACTERS_MAX);
    const message = Buffer.from(
      `<${FACILITY * 8 + SEVERITY[severity]}>1 ${ts} ${host} ${APP_NAME} ${NIL} ${id} [tongban@${enterprise}${params}] ${BOM}${text}`,
      'utf8',
    );
    frames.push(Buffer.from(`${message.length} `, 'latin1'), message);
  }
  return Buffer.concat(frames);
}
