// Prints the record of a sample portal, for `tongban client add -`: PORTAL, PUBLIC_URL and CLIENT_SECRET or CLIENT_SECRET_FILE, and TOKEN_ALG if it is set.
import { clientSecret, required, tokenAlg, wantedPortal } from './settings.ts';

const url = required('PUBLIC_URL');
const record = {
  ...wantedPortal().registration(url),
  client_uri: url,
  client_secret: clientSecret(),
  id_token_signed_response_alg: tokenAlg(),
};
process.stdout.write(`${JSON.stringify(record)}\n`);
