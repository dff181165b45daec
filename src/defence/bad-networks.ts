import { readFileSync, statSync } from 'node:fs';
import { type NetworkTable, networkTable } from './networks.ts';

export type BadNetworksOutcome =
  | { readonly ok: true; readonly networks: Pick<NetworkTable<true>, 'find' | 'size'> }
  | { readonly ok: false; readonly reason: string };

const FILE_BYTES_MAX = 32 * 1024 * 1024;
const NETWORKS_MAX = 500_000;

/**
 * Reads a list of networks that sign-ins are not expected from, such as hosting and anonymising services: one in CIDR notation a line, `#` before a
 * remark. Read once, at the start. The reason is a sentence for the operator that names the file and the first mistake.
 */
export function loadBadNetworks(file: string): BadNetworksOutcome {
  const refuse = (reason: string): BadNetworksOutcome => ({
    ok: false,
    reason: `defence.badNetworksFile ${file} ${reason}.`,
  });
  let text: string;
  try {
    if (statSync(file).size > FILE_BYTES_MAX) return refuse('is larger than 32 MiB');
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return refuse(`cannot be read${error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''}`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.replace(/#.*$/, '').trim());
  const networks = lines.filter((line) => line !== '');
  if (networks.length > NETWORKS_MAX) return refuse(`has more than ${NETWORKS_MAX} networks`);
  const table = networkTable(networks.map((network) => [network, true] as const));
  return 'wrong' in table ? refuse(`names ${table.wrong}, which is no network`) : { ok: true, networks: table };
}
