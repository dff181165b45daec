import type { ExecutionContext } from 'ava';
import { monotonicMs } from '../../src/shared/clock.ts';
import { webServer } from './listeners.ts';
import { payloadOf } from './portal-calls.ts';

/** A portal's back-channel address on this machine, which keeps what arrives, and when (monotonic milliseconds). */
export interface LogoutReceiver {
  readonly origin: string;
  readonly told: { readonly claims: Record<string, unknown>; readonly atMs: number }[];
}

export async function logoutReceiver(t: ExecutionContext): Promise<LogoutReceiver> {
  const told: LogoutReceiver['told'] = [];
  const origin = await webServer(t, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      told.push({ claims: payloadOf(new URLSearchParams(body).get('logout_token')), atMs: monotonicMs() });
      response.writeHead(200).end();
    });
  });
  return { origin, told };
}

/** The record of a portal that wants to be told there. */
export const toldAt = ({ origin }: LogoutReceiver): Record<string, unknown> => ({
  backchannel_logout_uri: `${origin}/logout`,
  backchannel_logout_session_required: true,
});
