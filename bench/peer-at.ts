import { readEndpoints } from './endpoints.ts';
import { type Client, REDIRECT_URI, type Running } from './peers.ts';

/** A server that runs already, on loopback; anything else is refused. Nobody is known there and no portal is ours. */
export async function peerAt(url: string): Promise<Running> {
  const origin = new URL(url);
  if (origin.protocol !== 'http:' || !['127.0.0.1', 'localhost', '[::1]'].includes(origin.hostname)) {
    throw new Error('only a server on loopback, over plain http, may be addressed');
  }
  const endpoints = await readEndpoints(origin);
  const client: Client = { id: 'unknown-portal', secret: 'unknown', redirectUri: REDIRECT_URI };
  const stop = async (): Promise<void> => {};
  return { name: 'ours', origin, process: undefined, endpoints, client, people: [], restart: async () => 0, stop };
}
