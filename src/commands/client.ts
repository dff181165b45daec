import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import type { RelyingParty } from '../relying-parties/relying-party.ts';

/** What the command works on. Nothing of it is closed here. */
export interface ClientCommandContext {
  readonly relyingParties: RelyingParties;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** 0 done, 1 refused (each fault a sentence on stderr), 2 not understood (the usage on stderr). */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `Usage:
  tongban client add FILE [--json]           register the portal described in FILE (JSON; - reads standard input)
  tongban client list [--json]               list all portals
  tongban client show ID [--json]            show one portal
  tongban client disable ID [--json]         switch a portal off
  tongban client enable ID [--json]          switch a portal on
  tongban client rotate-secret ID [--json]   make a new secret; the old one stops working at once
`;

const ORIGIN = 'command line';
const RECORD_BYTES_MAX = 262_144;
const OPERAND_COUNT: ReadonlyMap<string, number> = new Map([
  ['add', 1],
  ['list', 0],
  ['show', 1],
  ['disable', 1],
  ['enable', 1],
  ['rotate-secret', 1],
]);

/**
 * `tongban client ...`: the register of portals from the command line. Answers on stdout, as text or, with --json, as one JSON value;
 * a secret is printed once and never again. Resolves with the exit code.
 */
export async function run(args: readonly string[], context: ClientCommandContext): Promise<ExitCode> {
  const understood = understand(args);
  if (understood === undefined) {
    context.stderr.write(USAGE);
    return 2;
  }
  const { action, operand, json } = understood;
  switch (action) {
    case 'add':
      return add(operand, json, context);
    case 'list':
      return list(json, context);
    case 'show':
      return show(operand, json, context);
    case 'rotate-secret':
      return rotateSecret(operand, json, context);
    default:
      return setStatus(action, operand, json, context);
  }
}

interface Understood {
  readonly action: string;
  readonly operand: string;
  readonly json: boolean;
}

function understand(args: readonly string[]): Understood | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    const [action = '', operand = ''] = positionals;
    if (OPERAND_COUNT.get(action) !== positionals.length - 1) return undefined;
    return { action, operand, json: values.json };
  } catch {
    return undefined;
  }
}

async function add(file: string, json: boolean, context: ClientCommandContext): Promise<ExitCode> {
  const text = await read(file, context);
  if (text === undefined)
    return refuse(context, `The record cannot be read from ${printable(file)}, or is larger than 256 KiB.`);
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch {
    return refuse(context, `${file === '-' ? 'Standard input' : printable(file)} is not valid JSON.`);
  }
  const outcome = await context.relyingParties.add(input, ORIGIN);
  if (!outcome.ok) return refuse(context, ...outcome.faults.map(({ field, reason }) => `${field} ${reason}.`));
  const { party, secret } = outcome;
  if (json) return print(context, { ...view(party), ...(secret === undefined ? {} : { client_secret: secret }) });
  context.stdout.write(`Registered ${describe(party)}\n`);
  context.stdout.write(`${JSON.stringify(view(party), null, 2)}\n`);
  if (secret !== undefined) context.stdout.write(`\nclient_secret (shown only now): ${secret}\n`);
  return 0;
}

async function list(json: boolean, context: ClientCommandContext): Promise<ExitCode> {
  const parties = await context.relyingParties.list();
  if (json) return print(context, parties.map(view));
  for (const party of parties) context.stdout.write(`${describe(party)}\n`);
  if (parties.length === 0) context.stdout.write('No portal is registered.\n');
  return 0;
}

async function show(clientId: string, json: boolean, context: ClientCommandContext): Promise<ExitCode> {
  const party = await context.relyingParties.inspect(clientId);
  if (party === undefined) return refuseUnknown(clientId, context);
  if (json) return print(context, view(party));
  context.stdout.write(`${describe(party)}\n${JSON.stringify(view(party), null, 2)}\n`);
  return 0;
}

async function setStatus(
  action: string,
  clientId: string,
  json: boolean,
  context: ClientCommandContext,
): Promise<ExitCode> {
  const { relyingParties } = context;
  const disabling = action === 'disable';
  const outcome = await (disabling
    ? relyingParties.disable(clientId, ORIGIN)
    : relyingParties.enable(clientId, ORIGIN));
  if (!outcome.ok) return refuseUnknown(clientId, context);
  const status = disabling ? 'disabled' : 'active';
  if (json) return print(context, { client_id: clientId, status, changed: outcome.changed });
  context.stdout.write(`${clientId} is ${outcome.changed ? 'now' : 'already'} ${status}.\n`);
  return 0;
}

async function rotateSecret(clientId: string, json: boolean, context: ClientCommandContext): Promise<ExitCode> {
  const outcome = await context.relyingParties.rotateSecret(clientId, ORIGIN);
  if (!outcome.ok && outcome.reason === 'unknown') return refuseUnknown(clientId, context);
  if (!outcome.ok) return refuse(context, `${clientId} does not authenticate with a secret.`);
  if (json) return print(context, { client_id: clientId, client_secret: outcome.secret });
  context.stdout.write(`client_secret (shown only now): ${outcome.secret}\n`);
  return 0;
}

/** The record with its state; the digest of the secret stays inside. */
const view = ({ clientId, record, status, createdAt, updatedAt }: RelyingParty): Record<string, unknown> => ({
  ...record,
  client_id: clientId,
  status,
  created_at: createdAt,
  updated_at: updatedAt,
});

const describe = ({ clientId, record, status }: RelyingParty): string =>
  `${clientId}  ${status}  ${record.client_name}`;

async function read(file: string, context: ClientCommandContext): Promise<string | undefined> {
  if (file !== '-') {
    try {
      const bytes = await readFile(file);
      return bytes.length > RECORD_BYTES_MAX ? undefined : bytes.toString('utf8');
    } catch {
      return undefined;
    }
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of context.stdin) {
    const piece = Buffer.from(chunk);
    bytes += piece.length;
    if (bytes > RECORD_BYTES_MAX) return undefined;
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function print(context: ClientCommandContext, value: unknown): ExitCode {
  context.stdout.write(`${JSON.stringify(value)}\n`);
  return 0;
}

function refuse(context: ClientCommandContext, ...sentences: readonly string[]): ExitCode {
  for (const sentence of sentences) context.stderr.write(`${sentence}\n`);
  return 1;
}

const refuseUnknown = (clientId: string, context: ClientCommandContext): ExitCode =>
  refuse(context, `No portal has the client_id ${printable(clientId)}.`);

/** What was typed goes back to a terminal: no control characters with it (G4). */
const printable = (typed: string): string => typed.slice(0, 200).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
