import { BlockList, isIPv4, isIPv6 } from 'node:net';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * Tells whether a numeric address lies in one of these networks, such as `10.0.0.0/8` or `fd00::/8`. An IPv4 address that comes
 * mapped into IPv6, as it does on a socket for both families, is judged as the IPv4 address it is. What is no address lies nowhere.
 */
export function createNetworks(networks: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix = ''] = network.split('/');
    list.addSubnet(address, Number(prefix), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    if (address === undefined) return false;
    const plain = MAPPED.exec(address)?.[1] ?? address.split('%', 1)[0]!;
    if (isIPv4(plain)) return list.check(plain, 'ipv4');
    return isIPv6(plain) && list.check(plain, 'ipv6');
  };
}
