import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { House } from './app.ts';
import { limitsOf } from './calling/service-limits.ts';
import type { Config } from './config/schema.ts';
import { readPrivateFile, readSm2KeyFile } from './crypto/sm2-key-file.ts';
import { createSm2Verifier, createSoftwareSm2Signer } from './crypto/sm2-software-signer.ts';
import type { TlsIdentity } from './delivery/guarded-agent.ts';
import { createOutbound } from './delivery/outbound.ts';
import { createDocumentExpiry } from './people/document-expiry.ts';
import { createPersonRecheck } from './people/person-recheck.ts';
import { createHttpLegalPersonRegister } from './proofing/http-legal-person-register.ts';
import { createHttpPopulationRegister } from './proofing/http-population-register.ts';
import type { IdentitySource } from './proofing/identity-source.ts';
import type { LegalPersonRegister } from './proofing/legal-person-register.ts';
import { RegisterClient, type RegisterReading, type Unanswered } from './proofing/register-client.ts';
import { createPlainTransport, createSignedTransport, type RegisterTransport } from './proofing/register-transport.ts';
import { createSampleLegalPersonRegister } from './proofing/sample-legal-person-register.ts';
import { createSamplePopulationRegister } from './proofing/sample-population-register.ts';
import { Fault } from './shared/fault.ts';
import { type NightlyJob, startNightlyJob } from './storage/nightly-job.ts';

type HttpSettings = Config['registers']['populationHttp'];

/** Who listens to what becomes of the registers, such as the log of a serving process. */
export interface RegisterListener {
  readonly circuit: (register: string, state: 'open' | 'closed', trouble: Unanswered | undefined) => void;
  readonly fault: (register: string, error: unknown) => void;
}

/** The registers that vouch for people and companies; undefined where none is configured. */
export interface Registers {
  readonly population: IdentitySource | undefined;
  readonly legalPersons: LegalPersonRegister | undefined;
  /** One for each register over HTTP. */
  readings(): readonly RegisterReading[];
  /** Whoever called last is told. */
  listen(listener: RegisterListener): void;
  close(): Promise<void>;
}

/** Tells the log when a register is left alone and when it is asked again; nothing of what was asked. */
export function logRegisters(registers: Registers, log: Logger): void {
  registers.listen({
    circuit: (register, state, trouble) =>
      state === 'open'
        ? log.warn({ register, trouble }, 'a register does not answer and is left alone for a while')
        : log.info({ register }, 'a register answers again'),
    fault: (register, error) => log.error({ register, err: error }, 'a register could not be asked'),
  });
}

/** What is done at night: documents that have ended, and everybody whose last check is old where there is a register to ask. */
export function nightlyJobs(house: House, by: { readonly actor?: 'system' } = {}, log?: Logger): readonly NightlyJob[] {
  const { database, ledger, persons, registers, config } = house;
  const { personsPerSecond, personsAfterDays, mismatchPercentMax } = config.recheck;
  const expiry = createDocumentExpiry({ database, ledger, persons, ...by });
  if (registers.population === undefined || personsPerSecond === 0) return [expiry];
  const recheck = createPersonRecheck({
    database,
    persons,
    register: registers.population,
    perSecond: personsPerSecond,
    afterDays: personsAfterDays,
    doubt: { mismatchPercentMax },
    onDoubt: () => log?.warn('so many people do not match any more that the population register is doubted'),
    ...by,
  });
  return [expiry, recheck];
}

/** Has the jobs of the night done by whichever node comes first. */
export function runNights(house: House, log: Logger, isOurs: () => boolean): { readonly stop: () => Promise<void> } {
  const running = nightlyJobs(house, { actor: 'system' }, log).map((job) =>
    startNightlyJob({
      database: house.database,
      job,
      isOurs,
      window: house.config.recheck.window,
      onFault: (error) => log.error({ err: error, job: job.name }, 'a job of the night broke off and is tried again'),
    }),
  );
  return {
    stop: async () => {
      await Promise.all(running.map((job) => job.stop()));
    },
  };
}

/** An answer is a verdict and at most a name. */
const BODY_BYTES_MAX = 16_384;

/** Opens the configured registers; nobody is called. Throws `Fault('internal')` for a key or certificate that cannot be used. */
export function openRegisters({ registers }: Pick<Config, 'registers'>): Registers {
  const clients: RegisterClient[] = [];
  const closers: (() => Promise<void>)[] = [];
  let listener: RegisterListener | undefined;
  const client = (name: string, settings: HttpSettings): RegisterClient => {
    const { transport, close } = transportOf(name, settings);
    const made = new RegisterClient({
      name,
      url: settings.url,
      transport,
      timeoutMs: settings.timeoutMs,
      ...limitsOf(settings),
      onCircuit: (state, trouble) => listener?.circuit(name, state, trouble),
      onFault: (error) => listener?.fault(name, error),
    });
    clients.push(made);
    closers.push(close);
    return made;
  };
  const population = {
    none: () => undefined,
    sample: () => createSamplePopulationRegister(),
    http: () => createHttpPopulationRegister(client('population', registers.populationHttp)),
  }[registers.population]();
  const legalPersons = {
    none: () => undefined,
    sample: () => createSampleLegalPersonRegister(),
    http: () => createHttpLegalPersonRegister(client('legal-persons', registers.legalPersonsHttp)),
  }[registers.legalPersons]();
  return {
    population,
    legalPersons,
    readings: () => clients.map((made) => made.reading()),
    listen: (told) => {
      listener = told;
    },
    close: async () => {
      await Promise.all(closers.map((close) => close()));
    },
  };
}

/** The guarded client is open to this one origin, and its private-network rule with it: registers stand in the government network. */
function transportOf(
  name: string,
  settings: HttpSettings,
): { readonly transport: RegisterTransport; readonly close: () => Promise<void> } {
  const guarded = (identity?: TlsIdentity) =>
    createOutbound({
      allowedOrigins: [new URL(settings.url).origin],
      timeoutMs: settings.timeoutMs,
      bodyBytesMax: BODY_BYTES_MAX,
      ...(identity && { identity }),
    });
  if (settings.authentication === 'mutual-tls') {
    const identity = {
      certificate: readPublic(settings.certificateFile, name),
      key: readPrivateFile(settings.keyFile, `The TLS key for the register ${name}`),
      authority: readPublic(settings.authorityFile, name),
    };
    return { transport: createPlainTransport(guarded(identity)), close: async () => undefined };
  }
  const { appId, clockSkewSeconds } = settings;
  const signer = createSoftwareSm2Signer(readSm2KeyFile(settings.signingKeyFile, `The key for the register ${name}`));
  const { verify } = createSm2Verifier(Buffer.from(settings.publicKey, 'hex'));
  return {
    transport: createSignedTransport({ fetch: guarded(), appId, signer, verify, clockSkewSeconds }),
    close: () => signer.close(),
  };
}

function readPublic(file: string, name: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Fault('internal', `A certificate for the register ${name} cannot be read from ${file}.`, {
      cause: error,
    });
  }
}
