import type { Config } from './schema.ts';

/** One thing that is wrong with the configuration: which setting, variable or file, and why. Never holds a value. */
export interface ConfigFault {
  readonly path: string;
  readonly reason: string;
}

interface Relation {
  /** The settings compared; the first is the one to change. */
  readonly paths: readonly [string, ...string[]];
  readonly broken: (config: Config) => boolean;
  readonly reason: string;
}

const TWELVE_MONTHS_DAYS = 366;
const GATEWAY_KEY_CHARACTERS_MIN = 16;

type HttpRegister = 'population' | 'legalPersons';
const FOR_AUTHENTICATION = {
  'mutual-tls': ['certificateFile', 'keyFile', 'authorityFile'],
  sm2: ['appId', 'signingKeyFile', 'publicKey'],
} as const;

/** A register over HTTP needs an address, and what its kind of authentication is made of. */
const registerRelations = (register: HttpRegister): readonly Relation[] => {
  const section = `registers.${register}Http` as const;
  const asked = `registers.${register}`;
  const settingsOf = ({ registers }: Config) => registers[`${register}Http`];
  const needed = (path: 'url' | (typeof FOR_AUTHENTICATION)[keyof typeof FOR_AUTHENTICATION][number]): Relation => ({
    paths: [`${section}.${path}`, asked, `${section}.authentication`],
    broken: (config) => {
      if (config.registers[register] !== 'http' || settingsOf(config)[path] !== '') return false;
      const wanted: readonly string[] = FOR_AUTHENTICATION[settingsOf(config).authentication];
      return path === 'url' || wanted.includes(path);
    },
    reason: `must be set when ${asked} is http${path === 'url' ? '' : ' and authenticated in this way'}`,
  });
  return (['url', ...FOR_AUTHENTICATION['mutual-tls'], ...FOR_AUTHENTICATION.sm2] as const).map(needed);
};

const SIGNER_AUTHENTICATION = {
  'mutual-tls': ['certificateFile', 'keyFile', 'authorityFile'],
  'shared-key': ['appId', 'sharedKeyFile'],
} as const;

/** So does a signature server, which may be named while only keys made before are still held there. */
const signerRelations = (): readonly Relation[] => [
  {
    paths: ['signer.server.url', 'signer.sm2'],
    broken: ({ signer }) => signer.sm2 === 'server' && signer.server.url === '',
    reason: 'must be set when signer.sm2 is server',
  },
  ...[...SIGNER_AUTHENTICATION['mutual-tls'], ...SIGNER_AUTHENTICATION['shared-key']].map(
    (path): Relation => ({
      paths: [`signer.server.${path}`, 'signer.server.url', 'signer.server.authentication'],
      broken: ({ signer: { server } }) => {
        const wanted: readonly string[] = SIGNER_AUTHENTICATION[server.authentication];
        return server.url !== '' && wanted.includes(path) && server[path] === '';
      },
      reason: 'must be set when signer.server.url is, and authenticated in this way',
    }),
  ),
];

/** A key service needs the same, and the name of the key it wraps with. */
const keyServiceRelations = (): readonly Relation[] => [
  {
    paths: ['keyService.url', 'keyService.keyFiles'],
    broken: ({ keyService }) => keyService.keyFiles.length > 0 && keyService.url === '',
    reason: 'must be set when keyService.keyFiles names a file',
  },
  {
    paths: ['keyService.keyId', 'keyService.url'],
    broken: ({ keyService }) => keyService.url !== '' && keyService.keyId === '',
    reason: 'must be set when keyService.url is',
  },
  ...[...SIGNER_AUTHENTICATION['mutual-tls'], ...SIGNER_AUTHENTICATION['shared-key']].map(
    (path): Relation => ({
      paths: [`keyService.${path}`, 'keyService.url', 'keyService.authentication'],
      broken: ({ keyService }) => {
        const wanted: readonly string[] = SIGNER_AUTHENTICATION[keyService.authentication];
        return keyService.url !== '' && wanted.includes(path) && keyService[path] === '';
      },
      reason: 'must be set when keyService.url is, and authenticated in this way',
    }),
  ),
];

/** A level never asks for less than the one below it. */
const levelRelations = (lower: 2 | 3, higher: 3 | 4): readonly Relation[] =>
  (['ial', 'aal'] as const).map((axis) => ({
    paths: [`assurance.level${higher}.${axis}`, `assurance.level${lower}.${axis}`],
    broken: ({ assurance }) => assurance[`level${higher}`][axis] < assurance[`level${lower}`][axis],
    reason: `must not be below assurance.level${lower}.${axis}`,
  }));

const RELATIONS: readonly Relation[] = [
  {
    paths: ['passkeys.attestationRootFiles', 'passkeys.attestation'],
    broken: ({ passkeys }) => passkeys.attestation === 'direct' && passkeys.attestationRootFiles.length === 0,
    reason: 'must name at least one file when passkeys.attestation is direct',
  },
  {
    paths: ['issuer', 'profile'],
    broken: (config) => config.issuer === '' && config.profile === 'production',
    reason: 'must be set in production',
  },
  {
    paths: ['issuer', 'profile', 'port'],
    broken: (config) => config.issuer === '' && config.port === 0 && config.profile !== 'production',
    reason: 'must be set when port is 0',
  },
  {
    paths: ['session.idleSeconds', 'session.absoluteSeconds'],
    broken: ({ session }) => session.idleSeconds > session.absoluteSeconds,
    reason: 'must not be longer than session.absoluteSeconds',
  },
  {
    paths: ['ttl.grantSeconds', 'ttl.refreshTokenSeconds'],
    broken: ({ ttl }) => ttl.grantSeconds <= ttl.refreshTokenSeconds,
    reason: 'must be longer than ttl.refreshTokenSeconds',
  },
  {
    paths: ['redis.primary', 'redis.topology'],
    broken: ({ redis }) => redis.url !== '' && redis.topology === 'sentinel' && redis.primary === '',
    reason: 'must be set when redis.topology is sentinel',
  },
  ...levelRelations(2, 3),
  ...levelRelations(3, 4),
  {
    paths: ['password.memoryKib', 'password.parallelism'],
    broken: ({ password }) => password.memoryKib < 8 * password.parallelism,
    reason: 'must be at least 8 KiB for each lane (RFC 9106 section 3.1)',
  },
  {
    paths: ['outbox.firstDelaySeconds', 'outbox.delaySecondsMax'],
    broken: ({ outbox }) => outbox.firstDelaySeconds > outbox.delaySecondsMax,
    reason: 'must not be longer than outbox.delaySecondsMax',
  },
  {
    paths: ['legalPersons.mandateDefaultDays', 'legalPersons.mandateLongestDays'],
    broken: ({ legalPersons }) => legalPersons.mandateDefaultDays > legalPersons.mandateLongestDays,
    reason: 'must not be longer than legalPersons.mandateLongestDays',
  },
  {
    paths: ['legalPersons.relativeDefaultDays', 'legalPersons.relativeLongestDays'],
    broken: ({ legalPersons }) => legalPersons.relativeDefaultDays > legalPersons.relativeLongestDays,
    reason: 'must not be longer than legalPersons.relativeLongestDays',
  },
  {
    paths: ['ledger.retentionDays', 'ledger.shortRetentionAccepted'],
    broken: ({ ledger }) => ledger.retentionDays < TWELVE_MONTHS_DAYS && !ledger.shortRetentionAccepted,
    reason: `must be at least ${TWELVE_MONTHS_DAYS}, or ledger.shortRetentionAccepted must be true`,
  },
  {
    paths: ['messenger', 'registration.enabled'],
    broken: ({ messenger, registration }) => registration.enabled && messenger === 'none',
    reason: 'must not be none when registration.enabled is true: a phone is proven by a code',
  },
  {
    paths: ['messenger', 'recovery.enabled'],
    broken: ({ messenger, recovery }) => recovery.enabled && messenger === 'none',
    reason: 'must not be none when recovery.enabled is true: every channel of the person is told',
  },
  {
    paths: ['sms.url', 'messenger'],
    broken: ({ messenger, sms }) => messenger === 'gateway' && sms.url === '',
    reason: 'must be set when messenger is gateway',
  },
  {
    paths: ['sms.key', 'messenger'],
    broken: ({ messenger, sms }) => messenger === 'gateway' && sms.key.length < GATEWAY_KEY_CHARACTERS_MIN,
    reason: `must have at least ${GATEWAY_KEY_CHARACTERS_MIN} characters when messenger is gateway`,
  },
  {
    paths: ['smtp.from', 'smtp.host'],
    broken: ({ smtp }) => smtp.host !== '' && smtp.from === '',
    reason: 'must be set when smtp.host is',
  },
  {
    paths: ['smtp.host', 'messenger'],
    broken: ({ messenger, smtp }) => smtp.host !== '' && messenger !== 'gateway',
    reason: 'is used only when messenger is gateway',
  },
  {
    paths: ['demo.ports', 'demo.portals'],
    broken: ({ demo }) => demo.portals && demo.ports.length === 0,
    reason: 'must name a port for the sample portals',
  },
  {
    paths: ['demo.ports', 'demo.portals', 'port'],
    broken: ({ demo, port }) => demo.portals && demo.ports.includes(port),
    reason: 'must differ from port',
  },
  {
    paths: ['demo.portals', 'keys.smOnly'],
    broken: ({ demo, keys }) => demo.portals && keys.smOnly,
    reason: 'must be false when keys.smOnly is true: the sample portals know no SM2',
  },
  {
    paths: ['monitoring.port', 'port'],
    broken: ({ monitoring, port }) => monitoring.port !== 0 && monitoring.port === port,
    reason: 'must differ from port: metrics and health are not for everybody',
  },
  {
    paths: ['monitoring.port', 'demo.portals', 'demo.ports'],
    broken: ({ monitoring, demo }) => demo.portals && demo.ports.includes(monitoring.port),
    reason: 'must differ from the ports of the sample portals',
  },
  ...registerRelations('population'),
  ...registerRelations('legalPersons'),
  ...signerRelations(),
  ...keyServiceRelations(),
];

/**
 * What settings demand of one another. `known` are the faults found so far: a relation is judged only when each setting it
 * compares passed its own check, so that the operator reads every mistake once and all of them together.
 */
export function contradictions(config: Config, known: readonly ConfigFault[]): readonly ConfigFault[] {
  const atFault = (path: string) =>
    known.some(
      (fault) => path === fault.path || path.startsWith(`${fault.path}.`) || fault.path.startsWith(`${path}.`),
    );
  return RELATIONS.filter(({ paths, broken }) => !paths.some(atFault) && broken(config)).map(({ paths, reason }) => ({
    path: paths[0],
    reason,
  }));
}

/** What is allowed but deserves a line at every start. */
export function warningsOf(config: Config): readonly string[] {
  const warnings: string[] = [];
  if (config.ledger.retentionDays < TWELVE_MONTHS_DAYS) {
    warnings.push(
      `Ledger events are kept for ${config.ledger.retentionDays} days only. Rules for government online services ask for at least a year.`,
    );
  }
  if (config.profile === 'production' && config.legalPersons.mattersFile === '') {
    warnings.push(
      'Mandates are given for the matters of the demonstration: name a catalogue in legalPersons.mattersFile.',
    );
  }
  return warnings;
}
