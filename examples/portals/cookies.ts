const HEADER_CHARACTERS_MAX = 8_192;

/** The value of one cookie of a Cookie header (RFC 6265 section 5.4); undefined when it is absent or the header is absurdly long. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  if (header === undefined || header.length > HEADER_CHARACTERS_MAX) return undefined;
  for (const pair of header.split(';')) {
    const [key, ...value] = pair.trim().split('=');
    if (key === name) return value.join('=');
  }
  return undefined;
}

/**
 * The names carry the portal's own: cookies do not tell ports apart, and on one machine both portals and the identity server
 * share a host. Lax lets the cookie travel with the redirect that comes back from the identity server, and with no foreign post.
 */
export function cookieJar(clientId: string, url: string) {
  const secure = url.startsWith('https:');
  const full = (name: string): string => `${secure ? '__Host-' : ''}${clientId}.${name}`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  return {
    read: (header: string | undefined, name: string): string | undefined => cookieOf(header, full(name)),
    write: (name: string, value: string): string => `${full(name)}=${value}; ${attributes}`,
    clear: (name: string): string => `${full(name)}=; Max-Age=0; ${attributes}`,
  };
}
