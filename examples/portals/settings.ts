import { readFileSync } from 'node:fs';
import { PORTALS, type PortalDefinition } from './definitions.ts';
import { TOKEN_ALGS, type TokenAlg } from './identity-server.ts';

/** Ends with a sentence and exit code 2: the settings of a sample portal are the operator's to mend. */
export function refuse(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}

export function required(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  return refuse(
    `${name} is not set. A portal needs PORTAL, ISSUER and CLIENT_SECRET (or CLIENT_SECRET_FILE); CLIENT_ID, PORT, HOST, PUBLIC_URL, SIBLING_URL, PAR and TOKEN_ALG may be set.`,
  );
}

/** The secret itself, or the text of the file that holds it, so that it need not stand in a process's environment. */
export function clientSecret(): string {
  const { CLIENT_SECRET_FILE } = process.env;
  return CLIENT_SECRET_FILE === undefined ? required('CLIENT_SECRET') : readFileSync(CLIENT_SECRET_FILE, 'utf8').trim();
}

/** The one algorithm of tokens the portal takes, if one is set. */
export function tokenAlg(): TokenAlg | undefined {
  const { TOKEN_ALG } = process.env;
  if (TOKEN_ALG === undefined || TOKEN_ALG === '') return undefined;
  const known = TOKEN_ALGS.find((alg) => alg === TOKEN_ALG);
  return known ?? refuse(`TOKEN_ALG is one of: ${TOKEN_ALGS.join(', ')}`);
}

export function wantedPortal(): PortalDefinition {
  const wanted = required('PORTAL');
  const definition = PORTALS.find(({ clientId }) => clientId === wanted);
  return definition ?? refuse(`PORTAL is one of: ${PORTALS.map(({ clientId }) => clientId).join(', ')}`);
}
