/** Addresses on a page that lead away from the server at `origin`, wherever an element could take a browser there. */
export const foreignLinks = (html: string, origin: string): readonly string[] =>
  [...html.matchAll(/(?:href|action|src|content)="([^"]*)"/g)]
    .map(([, address = '']) => URL.parse(address.replaceAll('&amp;', '&'), origin))
    .filter((url) => url !== null && url.origin !== origin)
    .map((url) => String(url));
