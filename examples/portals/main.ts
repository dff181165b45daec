import { startPortal } from './portal.ts';
import { clientSecret, required, tokenAlg, wantedPortal } from './settings.ts';

const definition = wantedPortal();
const { CLIENT_ID, PORT, HOST, PUBLIC_URL, SIBLING_URL, PAR } = process.env;
const alg = tokenAlg();
const portal = await startPortal({
  definition,
  issuer: required('ISSUER'),
  clientId: CLIENT_ID ?? definition.clientId,
  clientSecret: clientSecret(),
  port: Number(PORT ?? definition.port),
  ...(HOST === undefined ? {} : { host: HOST }),
  ...(PUBLIC_URL === undefined ? {} : { publicUrl: PUBLIC_URL }),
  ...(SIBLING_URL === undefined ? {} : { siblingUrl: SIBLING_URL }),
  pushedRequests: PAR === '1',
  ...(alg === undefined ? {} : { tokenAlg: alg }),
});
console.log(`${definition.nameZh} ${definition.nameEn}: ${portal.url}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void portal.close());
