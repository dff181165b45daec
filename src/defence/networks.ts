import { isIPv4, isIPv6 } from 'node:net';
import { BoundedMap } from '../shared/bounded-map.ts';

/** An address as a number: 32 bits for IPv4, also when it is written in IPv6, 128 for IPv6. */
interface AddressBits {
  readonly width: 32 | 128;
  readonly value: bigint;
}

const MAPPED = 0xffffn;
const IPV4_BITS = 32n;
const IPV4_GROUP_LENGTH = 24;
const IPV6_GROUP_LENGTH = 48;
/** Below a megabyte: a sign-in asks some ten times what its address is counted under. */
const ADDRESSES_KEPT_MAX = 4_096;
/** No address is longer, an IPv6 address with an IPv4 tail and a zone among them. */
const ADDRESS_CHARS_MAX = 64;

const ipv4Value = (address: string): bigint =>
  address.split('.').reduce((value, part) => (value << 8n) | BigInt(Number(part)), 0n);

function ipv6Value(address: string): bigint {
  // An IPv4 tail counts as two groups.
  const plain = address.replace(/[\d.]+\.\d+$/, (tail) => {
    const value = ipv4Value(tail);
    return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
  });
  const [head = '', tail] = plain.split('::', 2);
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const middle = new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return [...left, ...middle, ...right].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function bitsOf(address: string): AddressBits | undefined {
  if (isIPv4(address)) return { width: 32, value: ipv4Value(address) };
  const bare = address.split('%', 1)[0]!;
  if (!isIPv6(bare)) return undefined;
  const value = ipv6Value(bare);
  return value >> IPV4_BITS === MAPPED ? { width: 32, value: value & 0xffffffffn } : { width: 128, value };
}

/** The same function, with what it said of the addresses that come by just now kept; what is no address is said anew each time. */
function kept<Said extends string | undefined>(of: (address: string) => Said): (address: string) => Said {
  const said = new BoundedMap<string, Said>(ADDRESSES_KEPT_MAX);
  return (address) => {
    const known = said.get(address);
    if (known !== undefined) return known;
    const now = of(address);
    if (address.length <= ADDRESS_CHARS_MAX) said.set(address, now);
    return now;
  };
}

/**
 * The network an address is counted under: the /24 of IPv4, the /48 of IPv6, which is what one customer of a carrier may have.
 * Undefined for what is no address.
 */
export const networkOf = kept((address: string): string | undefined => {
  const bits = bitsOf(address);
  if (bits === undefined) return undefined;
  if (bits.width === 32) {
    const [a, b, c] = [bits.value >> 24n, (bits.value >> 16n) & 255n, (bits.value >> 8n) & 255n];
    return `${a}.${b}.${c}.0/${IPV4_GROUP_LENGTH}`;
  }
  const groups = [112n, 96n, 80n].map((shift) => ((bits.value >> shift) & 0xffffn).toString(16));
  return `${groups.join(':')}::/${IPV6_GROUP_LENGTH}`;
});

/** What cannot be read shares one small allowance instead of none (V44). */
const UNREADABLE = 'unreadable';

/**
 * Who is limited together: one IPv4 address, or the /64 of an IPv6 address, which is what one household has (X6). An IPv4
 * address written in IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
 */
export const addressGroup = kept((address: string): string => {
  const bits = bitsOf(address);
  if (bits === undefined) return UNREADABLE;
  if (bits.width === 32) return [24n, 16n, 8n, 0n].map((shift) => (bits.value >> shift) & 255n).join('.');
  const groups = [112n, 96n, 80n, 64n].map((shift) => ((bits.value >> shift) & 0xffffn).toString(16));
  return `${groups.join(':')}::/64`;
});

/** A network in CIDR notation. One of IPv4 addresses that is written in IPv6 is the network of IPv4. */
function prefixOf(network: string): (AddressBits & { readonly length: number }) | undefined {
  const [address = '', digits = ''] = network.split('/', 2);
  const bits = bitsOf(address);
  const length = Number(digits);
  const isMapped = bits?.width === 32 && address.includes(':');
  if (bits === undefined || !/^\d{1,3}$/.test(digits) || length > (isMapped ? 128 : bits.width)) return undefined;
  if (!isMapped) return { ...bits, length };
  return length >= 96
    ? { ...bits, length: length - 96 }
    : { width: 128, value: (MAPPED << IPV4_BITS) | bits.value, length };
}

/** Values by network; the narrowest network that holds an address wins. */
export interface NetworkTable<Value> {
  find(address: string): Value | undefined;
  readonly size: number;
}

/**
 * A table over networks in CIDR notation. Returns the first text that is no network instead.
 * A look-up tries each length that occurs once, so it costs the same however many networks there are.
 */
export function networkTable<Value>(
  rows: readonly (readonly [network: string, value: Value])[],
): NetworkTable<Value> | { readonly wrong: string } {
  const tables = new Map<string, Map<bigint, Value>>();
  for (const [network, value] of rows) {
    const bits = prefixOf(network);
    if (bits === undefined) return { wrong: network };
    const name = `${bits.width}/${bits.length}`;
    const table = tables.get(name) ?? new Map<bigint, Value>();
    tables.set(name, table.set(bits.value >> BigInt(bits.width - bits.length), value));
  }
  const lengths = [...tables]
    .map(([name, table]) => ({ width: Number(name.split('/')[0]), length: Number(name.split('/')[1]), table }))
    .sort((left, right) => right.length - left.length);
  return {
    size: rows.length,
    find(address) {
      const bits = bitsOf(address);
      if (bits === undefined) return undefined;
      for (const { width, length, table } of lengths) {
        if (width !== bits.width) continue;
        const found = table.get(bits.value >> BigInt(width - length));
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}
