import { PORTALS } from './definitions.ts';
import { startPortal } from './portal.ts';

const required = (name: string): string => {
  const value = process.env[name];
  if (value === undefined || value === '') {
    console.error(
      `${name} is not set. A portal needs PORTAL, ISSUER and CLIENT_SECRET; CLIENT_ID, PORT, HOST, PUBLIC_URL, SIBLING_URL and PAR may be set.`,
    );
    process.exit(2);
  }
  return value;
};

const wanted = required('PORTAL');
const definition = PORTALS.find(({ clientId }) => clientId === wanted);
if (definition === undefined) {
  console.error(`PORTAL is one of: ${PORTALS.map(({ clientId }) => clientId).join(', ')}`);
  process.exit(2);
}

const { CLIENT_ID, PORT, HOST, PUBLIC_URL, SIBLING_URL, PAR } = process.env;
const portal = await startPortal({
  definition,
  issuer: required('ISSUER'),
  clientId: CLIENT_ID ?? definition.clientId,
  clientSecret: required('CLIENT_SECRET'),
  port: Number(PORT ?? definition.port),
  ...(HOST === undefined ? {} : { host: HOST }),
  ...(PUBLIC_URL === undefined ? {} : { publicUrl: PUBLIC_URL }),
  ...(SIBLING_URL === undefined ? {} : { siblingUrl: SIBLING_URL }),
  pushedRequests: PAR === '1',
});
console.log(`${definition.nameZh} ${definition.nameEn}: ${portal.url}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void portal.close());
