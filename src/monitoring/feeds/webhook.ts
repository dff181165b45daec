import type { KeyObject } from 'node:crypto';
import { hmacSm3 } from '../../crypto/digests.ts';
import { type Outbound, OutboundFailure } from '../../delivery/outbound.ts';
import { nowSeconds } from '../../shared/clock.ts';
import { type Feed, FeedFailure, type FeedMessage } from './feed.ts';
import type { WebhookSetting } from './feed-setting.ts';

/** Answers that say "not now" rather than "not this" (RFC 9110 15.5.9, RFC 6585 4). */
const NOT_NOW: ReadonlySet<number> = new Set([408, 429]);

/**
 * `sm3=` and HMAC-SM3 in hexadecimal over `id.timestamp.body`. The id and the time are covered so that an old message cannot be
 * passed off as a new one.
 */
export const webhookSignature = (secret: KeyObject, id: string, timestamp: number, body: string): string =>
  `sm3=${hmacSm3(secret, `${id}.${timestamp}.${body}`).toString('hex')}`;

/**
 * POSTs each batch as a JSON array to one https address, through the guarded outbound client. The receiver has it when it answers
 * with a status of 200 to 299. The id is made of the numbers of the batch, so that the same batch sent again bears the same id.
 */
export function createWebhookFeed(setting: WebhookSetting, outbound: Outbound): Feed {
  return {
    async send(batch, signal) {
      const body = bodyOf(batch, setting.format.isJson);
      const id = `${setting.name}_${batch[0]?.seq ?? 'test'}_${batch.at(-1)?.seq ?? 'test'}`;
      const timestamp = nowSeconds();
      const status = await post(outbound, setting.url, signal, body, {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': webhookSignature(setting.secret, id, timestamp, body),
      });
      if (status >= 200 && status < 300) return;
      const refused = status >= 400 && status < 500 && !NOT_NOW.has(status);
      throw new FeedFailure(refused ? 'refused' : 'retryable', `HTTP ${status}`);
    },
    doubt: () => undefined,
    close: async () => undefined,
  };
}

const bodyOf = (batch: readonly FeedMessage[], isJson: boolean): string =>
  isJson ? `[${batch.map(({ text }) => text).join(',')}]` : JSON.stringify(batch.map(({ text }) => text));

async function post(
  outbound: Outbound,
  url: string,
  signal: AbortSignal,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  try {
    return (await outbound(url, { method: 'POST', headers, body, signal })).status;
  } catch (error) {
    if (!(error instanceof OutboundFailure)) throw error;
    throw new FeedFailure('retryable', error.message, error);
  }
}
