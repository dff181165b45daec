import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { verifySm2 as verifyByKit } from '../examples/verify/node/verify-token.ts';
import { readCompactJws } from '../src/crypto/jose/jws.ts';
import { readSm2Jwk } from '../src/crypto/jose/sm2-jwk.ts';
import { verifySm2 } from '../src/crypto/sm2/sm2.ts';
import { temporaryFolder } from './support/folders.ts';
import { ROOMY, tokensOf } from './support/portal-calls.ts';
import {
  authorizationPath,
  callbackOf,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { decoded, encoded, portalKey, signedBy } from './support/sm2-portal.ts';

const KIT = join(import.meta.dirname, '..', 'examples/verify');
const BOUNCY_CASTLE = '/usr/share/java/bcprov.jar';

interface Verifier {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** Why it cannot run here. */
  readonly missing: string | undefined;
}

const absent = (program: string, argument = '--version'): string | undefined =>
  spawnSync(program, [argument]).status === 0 ? undefined : `there is no ${program}`;

/** Built once: `go run` would compile for every token. */
const GO_BINARY = join(mkdtempSync(join(tmpdir(), 'tongban-go-')), 'verify');
const WITHOUT_GO = absent('go', 'version');

const VERIFIERS: readonly Verifier[] = [
  { name: 'Node', command: [process.execPath, join(KIT, 'node/verify-token.ts')], missing: undefined },
  {
    name: 'Python with openssl',
    command: ['python3', join(KIT, 'python/verify_token.py')],
    missing: absent('python3') ?? absent('openssl', 'version'),
  },
  {
    name: 'Java with Bouncy Castle',
    command: ['java', '-cp', BOUNCY_CASTLE, join(KIT, 'java/VerifyToken.java')],
    missing: existsSync(BOUNCY_CASTLE) ? absent('javac') : `there is no ${BOUNCY_CASTLE}`,
  },
  { name: 'Go', command: [GO_BINARY], missing: WITHOUT_GO },
];

let server: TestServer;
let portal: TestPortal;
let keySet: string;

test.before(async (t) => {
  t.timeout(180_000);
  if (WITHOUT_GO === undefined) {
    // The standard library is enough: nothing is fetched.
    const env = { ...process.env, GOPROXY: 'off', GOFLAGS: '-mod=mod', CGO_ENABLED: '0' };
    execFileSync('go', ['build', '-o', GO_BINARY, '.'], { cwd: join(KIT, 'go'), env, stdio: 'pipe' });
  }
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  const signed = { id_token_signed_response_alg: 'SGD_SM3_SM2', authorization_signed_response_alg: 'SGD_SM3_SM2' };
  portal = await server.addPortal(signed);
  keySet = await (await fetch(`${server.issuer}/jwks`)).text();
});
test.after.always(async () => {
  rmSync(dirname(GO_BINARY), { recursive: true, force: true });
  await server.stop();
});

interface Judged {
  readonly exitCode: number;
  readonly said: string;
}

function judge(
  t: ExecutionContext,
  [program, ...options]: Verifier['command'],
  token: string,
  expected: readonly string[],
): Promise<Judged> {
  const folder = temporaryFolder(t);
  const [tokenFile, keysFile] = [join(folder, 'token'), join(folder, 'jwks.json')];
  writeFileSync(tokenFile, `${token}\n`);
  writeFileSync(keysFile, keySet);
  return new Promise((resolve) => {
    execFile(program, [...options, tokenFile, keysFile, ...expected], (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), said: `${stdout}${stderr}` });
    });
  });
}

test('the sample token of the integration guide is signed with the key beside it, for the kit and for the server', (t) => {
  const guide = readFileSync(join(import.meta.dirname, '..', 'docs/integration.md'), 'utf8');
  const [token = ''] = /eyJhbGciOiJTR0Rf[\w.-]+/.exec(guide) ?? [];
  const [, x = '', y = ''] = /`x`\s+`([\w-]+)`, `y`\s+`([\w-]+)`/.exec(guide) ?? [];
  const jws = readCompactJws(token);
  if (jws === undefined) return t.fail('no token');
  t.is(
    jws.signature.toString('base64url'),
    'FiQc-mB390ieHvXW4txB-AsQKfMTSkEqrR6UfExrDLPVmFY6StXBOhJ7hhEhPoLtwc4Wh1esYZlW6d3GolcGqA',
  );
  t.true(verifySm2(jws.input, jws.signature, readSm2Jwk({ kty: 'EC', crv: 'sm2p256v1', x, y })));
  const [left, right] = [x, y].map((part) => BigInt(`0x${Buffer.from(part, 'base64url').toString('hex')}`));
  t.true(verifyByKit(jws.input, jws.signature, [left!, right!]));
  t.false(verifyByKit(jws.input.subarray(1), jws.signature, [left!, right!]));
});

for (const { name, command, missing } of VERIFIERS) {
  const title = `V57 V59 the verifier in ${name} takes a token of a running server, and no altered one`;
  if (missing !== undefined) {
    test.skip(`${title}: ${missing}`, () => {});
    continue;
  }
  test(title, async (t) => {
    t.timeout(120_000);
    const browser = server.browser();
    const token = String((await tokensOf(server, portal, browser, { nonce: 'n-7' })).id_token);
    const right = [server.issuer, portal.id, 'n-7'];
    const good = await judge(t, command, token, right);
    t.is(good.exitCode, 0, good.said);
    t.is((JSON.parse(good.said) as { nonce: string }).nonce, 'n-7');

    const [header = '', payload = '', signature = ''] = token.split('.');
    const claims = decoded(payload);
    const refused: readonly (readonly [string, string, readonly string[], RegExp])[] = [
      ['another subject', `${header}.${encoded({ ...claims, sub: 'mallory' })}.${signature}`, right, /signature/],
      ['a foreign key', signedBy(portalKey(String(decoded(header).kid)), claims), right, /signature/],
      ['no signature', `${encoded({ alg: 'none' })}.${payload}.`, right, /not signed with/],
      ['an unknown kid', `${encoded({ ...decoded(header), kid: 'x' })}.${payload}.${signature}`, right, /no SM2 key/],
      ['another portal', token, [server.issuer, 'somebody-else'], /another portal/],
      ['another issuer', token, ['https://evil.example', portal.id], /another issuer/],
      ['another nonce', token, [server.issuer, portal.id, 'n-8'], /nonce/],
    ];
    for (const [what, altered, expected, reason] of refused) {
      const { exitCode, said } = await judge(t, command, altered, expected);
      t.is(exitCode, 1, `${what}: ${said}`);
      t.regex(said, reason, what);
    }
    const answer = callbackOf(await browser.get(authorizationPath(portal, { prompt: 'none', response_mode: 'jwt' })));
    const response = String(answer.searchParams.get('response'));
    const answered = await judge(t, command, response, [server.issuer, portal.id]);
    t.is(answered.exitCode, 0, answered.said);
    t.truthy((JSON.parse(answered.said) as { code: string }).code, 'a signed authorization response is read as well');
  });
}
