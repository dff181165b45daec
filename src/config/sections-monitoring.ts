import { isIP } from 'node:net';
import { z } from 'zod';
import { list, text, whole } from './fields.ts';

const NETWORK = /^([^/]+)\/([1-9]\d{0,2})$/;
const PREFIX_MAX: Readonly<Record<number, number>> = { 4: 32, 6: 128 };

/** `address/prefix` of either family. The whole internet, prefix 0, is no network to let in. */
function isNetwork(value: string): boolean {
  const [, address = '', prefix = ''] = NETWORK.exec(value) ?? [];
  return !address.includes('%') && Number(prefix) <= (PREFIX_MAX[isIP(address)] ?? 0) && prefix !== '';
}

const optionalPath = (description: string) => z.string().trim().max(1024).meta({ description });

export const monitoring = z.strictObject({
  host: text(255, 'The local address the private port for metrics and health listens on.'),
  port: whole(0, 65_535, 'The private port for metrics and health; 0 means there is none.'),
  allowedNetworks: list(
    z.string().max(50).refine(isNetwork, 'must be a network such as 10.0.0.0/8 or fd00::/8'),
    50,
    'Networks that may ask the private port; everybody else is turned away.',
  ),
  certificateFiles: list(
    z.string().trim().min(1).max(1024),
    20,
    'Certificate files in PEM whose end is watched, such as those of the proxy in front; a node with an expired one is not ready.',
  ),
  feedsFile: optionalPath('The JSON file that lists the feeds by which events leave the house; empty means none.'),
});
