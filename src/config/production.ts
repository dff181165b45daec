import type { Config } from './schema.ts';
import type { SecretName, SecretOrigins } from './secrets.ts';

/** What production is judged by beside its settings. */
export interface StartFacts {
  readonly secrets: SecretOrigins;
  /** Paths of the data folder whose mode lets the group or others in. */
  readonly openPaths: readonly string[];
}

/** The secrets of config/test.json begin with this, and so does every secret in our examples. */
export const SAMPLE_SECRET_MARK = 'tongban-sample-';

// OWASP's floor for Argon2id; below it a stolen database is cheap to search.
const MEMORY_KIB_MIN = 19_456;
const ITERATIONS_MIN = 2;
const DISTINCT_CHARACTERS_MIN = 12;

const SECRET_NAMES: readonly SecretName[] = ['encryptionKey', 'indexKey', 'pepper', 'pairwiseSalt', 'cookieKeys'];

/** Typed by a hand or copied from an example, not drawn: 43 random characters have fewer than 12 distinct ones practically never. */
function looksLikeSample(secret: string): boolean {
  return secret.startsWith(SAMPLE_SECRET_MARK) || new Set(secret).size < DISTINCT_CHARACTERS_MIN;
}

function secretRefusals(
  config: Config,
  { secrets: { origin, generatedFor }, openPaths }: StartFacts,
): readonly string[] {
  const generated = SECRET_NAMES.filter((name) => origin[name] === 'generated');
  const samples = SECRET_NAMES.filter((name) =>
    [config.secrets[name]].flat().some((secret) => secret !== '' && looksLikeSample(secret)),
  );
  const others = config.secrets.otherEncryptionKeys;
  const values = [...SECRET_NAMES.flatMap((name) => config.secrets[name]), ...others].filter((secret) => secret !== '');
  const shared = [config.database.url, config.redis.url].some((url) => url !== '');
  const refusals = openPaths.map(
    (path) => `${path} can be read by the group or by others: take their rights away (chmod go-rwx).`,
  );
  if (origin.encryptionKey === 'generated')
    refusals.push('secrets.encryptionKey is not configured: a generated key lies beside the data it seals.');
  if (generated.length > 0 && generatedFor !== 'production')
    refusals.push(
      `secrets.json was generated for the profile ${generatedFor}: use a new data folder or configure ${generated.join(', ')}.`,
    );
  if (generated.length > 0 && shared)
    refusals.push(
      `Several nodes may share this database or Redis, and each would generate its own secrets: configure ${generated.join(', ')}.`,
    );
  for (const name of samples)
    refusals.push(`secrets.${name} is a sample or not random: configure 32 random bytes in base64url.`);
  if (others.some(looksLikeSample))
    refusals.push(
      'secrets.otherEncryptionKeys holds a sample or one not random: configure 32 random bytes in base64url.',
    );
  if (new Set(values).size < values.length) refusals.push('Two secrets have the same value: each needs its own.');
  return refusals;
}

/**
 * Every reason at once why this configuration must not serve as production (H1, V65); empty for other profiles. Pure.
 * `config` holds the secrets as far as they exist, and no reason quotes one.
 */
export function productionRefusals(config: Config, facts: StartFacts): readonly string[] {
  if (config.profile !== 'production') return [];
  const refusals: string[] = [];
  if (!config.issuer.startsWith('https://'))
    refusals.push('issuer is not https: tokens and passwords would cross the network in the clear.');
  if (config.http.trustedProxies === 0)
    refusals.push(
      'http.trustedProxies is 0: this server speaks plain HTTP, so production needs a proxy that ends TLS in front of it.',
    );
  if (config.registers.population === 'sample')
    refusals.push('registers.population is sample: it vouches for people who do not exist.');
  if (config.registers.legalPersons === 'sample')
    refusals.push('registers.legalPersons is sample: it vouches for companies that do not exist.');
  for (const name of ['population', 'legalPersons'] as const) {
    const { url } = config.registers[`${name}Http`];
    if (config.registers[name] === 'http' && !url.startsWith('https://'))
      refusals.push(`registers.${name}Http.url is not https: names and numbers would cross the network in the clear.`);
  }
  if (config.signer.server.url.startsWith('http:'))
    refusals.push('signer.server.url is not https: whoever is in between could keep every signature from us.');
  if (config.keyService.url.startsWith('http:'))
    refusals.push('keyService.url is not https: whoever is in between could keep every start from us.');
  if (config.registration.enabled && config.registers.population === 'sample')
    refusals.push('registration.enabled lets anybody open an account on the word of the sample register.');
  if (config.messenger === 'mailbox')
    refusals.push('messenger is mailbox: everybody could read the messages of everybody.');
  if (config.messenger === 'gateway' && !config.sms.url.startsWith('https://'))
    refusals.push('sms.url is not https: codes would cross the network in the clear.');
  if (config.smtp.host !== '' && config.smtp.security === 'none')
    refusals.push(
      'smtp.security is none: codes and the password of the mail server would cross the network in the clear.',
    );
  if (config.demo.portals) refusals.push('demo.portals is true: sample portals have no place beside real accounts.');
  if (config.password.memoryKib < MEMORY_KIB_MIN || config.password.iterations < ITERATIONS_MIN)
    refusals.push(
      `password hashes are too cheap: password.memoryKib is at least ${MEMORY_KIB_MIN} and password.iterations at least ${ITERATIONS_MIN}.`,
    );
  return [...refusals, ...secretRefusals(config, facts)];
}
