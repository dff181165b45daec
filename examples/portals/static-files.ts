import { readFileSync } from 'node:fs';
import type { PortalDefinition } from './definitions.ts';
import type { Answer } from './http.ts';

const fileText = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

/** The stylesheet with the portal's own colours in front, and its mark; read once. */
export function loadStaticFiles({ clientId, theme }: PortalDefinition): Record<string, () => Answer> {
  const colours = Object.entries(theme).map(([name, value]) => `--${name}: ${value};`);
  const stylesheet = `:root { ${colours.join(' ')} }\n${fileText('./portal.css')}`;
  const mark = fileText(`./marks/${clientId}.svg`);
  const file = (type: string, body: string) => (): Answer => ({
    status: 200,
    headers: { 'content-type': type, 'cache-control': 'public, max-age=300' },
    body,
  });
  return {
    'GET /portal.css': file('text/css; charset=utf-8', stylesheet),
    'GET /mark.svg': file('image/svg+xml', mark),
  };
}
