import { BlockList, isIPv4 } from 'node:net';

/** IPv4 networks that are not the public internet (IANA special-purpose registry, RFC 6890), with multicast and class E. */
const SPECIAL_IPV4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/**
 * What of IPv6's global unicast space 2000::/3 is no ordinary host: protocol assignments with Teredo, documentation, and 6to4, which
 * hides an IPv4 address. Everything outside 2000::/3 is special without being listed: loopback, unique local, link-local,
 * multicast, and the NAT64 prefixes, behind which any IPv4 address may lie.
 */
const SPECIAL_IPV6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const specialIpv4 = blockList(SPECIAL_IPV4, 'ipv4');
const specialIpv6 = blockList(SPECIAL_IPV6, 'ipv6');
const globalIpv6 = blockList([['2000::', 3]], 'ipv6');
const mappedIpv4 = blockList([['::ffff:0:0', 96]], 'ipv6');

/**
 * Whether a numeric address lies in a network of special use, where a stranger's URL must not lead us (G2). An IPv4 address mapped
 * into IPv6 is judged as the IPv4 address it is; a zone index counts as special.
 */
export function isSpecialUse(address: string): boolean {
  if (isIPv4(address)) return specialIpv4.check(address, 'ipv4');
  if (address.includes('%')) return true;
  if (mappedIpv4.check(address, 'ipv6')) return specialIpv4.check(address, 'ipv6');
  return !globalIpv6.check(address, 'ipv6') || specialIpv6.check(address, 'ipv6');
}

function blockList(networks: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of networks) list.addSubnet(network, prefix, family);
  return list;
}
