import { openHouse } from '../../src/app.ts';
import { prepareConfig } from '../../src/config/prepare.ts';

/** A process beside the server, as a command is: ends one mandate in a person's name. Arguments: data folder, issuer, mandate, person. */
const [dataDir = '', issuer = '', mandate = '', personId = ''] = process.argv.slice(2);
const prepared = prepareConfig({ env: { TONGBAN_PROFILE: 'test' }, overrides: { dataDir, issuer } });
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const house = await openHouse(prepared.config, 'test');
const outcome = await house.mandates.revoke(mandate, { personId });
await house.close();
process.stdout.write(outcome.ok ? 'revoked' : outcome.reason);
