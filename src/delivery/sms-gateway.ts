import type { KeyObject } from 'node:crypto';
import { hmacKey, hmacSm3 } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import { DeliveryFailure } from './delivery-failure.ts';
import type { Message, Messenger } from './messenger.ts';
import type { Outbound } from './outbound.ts';

export interface SmsGatewaySettings {
  /** Where messages are posted; a query in it is part of the signature. */
  readonly url: string;
  /** By which name the gateway knows the key. */
  readonly keyId: string;
  readonly key: string;
  /** `template=ID`: under which id the gateway has approved the words of a template of ours. */
  readonly templates: readonly string[];
}

/** Statuses after which the same request may succeed later. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * Posts each message as JSON `{id, to, channel, template?, values, text}` to an SMS gateway. The request carries
 * `Tongban-Key`, `Tongban-Time` (epoch seconds), `Tongban-Id` and `Tongban-Signature`, the HMAC-SM3 in hex over method,
 * path with query, time, id and body, one a line. Any 2xx takes the message; the answer is not read. The id lets the gateway
 * drop a repetition.
 */
export function createSmsGateway(settings: SmsGatewaySettings, outbound: Outbound): Messenger {
  const url = new URL(settings.url);
  const key = hmacKey(Buffer.from(settings.key, 'utf8'));
  const ids = new Map(settings.templates.map((pair) => pair.split('=', 2) as [string, string]));
  return {
    channels: ['sms', 'voice'],
    async deliver(message, signal) {
      const body = bodyOf(message, ids.get(message.template));
      const time = String(nowSeconds());
      const response = await outbound(url, {
        method: 'POST',
        body,
        signal,
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'tongban-key': settings.keyId,
          'tongban-time': time,
          'tongban-id': message.id,
          'tongban-signature': signatureOf(key, url, time, message.id, body),
        },
      });
      if (response.ok) return;
      const permanent = response.status < 500 && !PASSING.has(response.status);
      throw new DeliveryFailure(`the gateway answered ${response.status}`, { permanent });
    },
  };
}

/** None of the lines can hold a line break: path and query are encoded, time and id are ours, and the body comes last. */
const signatureOf = (key: KeyObject, url: URL, time: string, id: string, body: string): string =>
  hmacSm3(key, ['POST', `${url.pathname}${url.search}`, time, id, body].join('\n')).toString('hex');

const bodyOf = ({ id, address, channel, values, text }: Message, template: string | undefined): string =>
  JSON.stringify({ id, to: address, channel, ...(template === undefined ? {} : { template }), values, text });
