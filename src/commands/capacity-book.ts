import { renderPlans, standardPlans } from './capacity.ts';
import { type ActionCost, MEASURED } from './capacity-costs.ts';
import { USUAL_DEMAND, USUAL_MACHINES } from './capacity-plan.ts';

const number = (value: number): string => value.toLocaleString('en');

const costRow = (name: string, cost: ActionCost): string =>
  `| ${name} | ${[cost.nodeMicroseconds, cost.postgresMicroseconds, cost.redisMicroseconds, cost.walBytes, cost.events].map(number).join(' | ')} |`;

/** The text of docs/capacity.md; `regenerate` is the command that writes it. */
export function renderCapacity(regenerate: string): string {
  const { coresEach, utilization } = USUAL_MACHINES;
  const demand = USUAL_DEMAND;
  return `# Capacity

<!-- Rendered from src/commands/capacity-costs.ts and capacity-plan.ts; do not edit. Regenerate: ${regenerate} -->

How many machines a province needs, from what each action was measured to cost. \`tongban capacity --help\` has the words for other figures than the
usual ones; \`npm run bench -- --footprint\` measures the costs again, best on the machines that will carry it.

## What one action costs

Processor time in microseconds; write-ahead log in bytes.

| action | node | PostgreSQL | Redis | log | entries of the ledger |
|---|---|---|---|---|---|
${costRow('sign-in, without the hash', MEASURED.signIn)}
${costRow('SSO: a portal opened with the same sign-in', MEASURED.sso)}
${costRow('refresh', MEASURED.refresh)}
${costRow('userinfo', MEASURED.userinfo)}

They were measured with server, PostgreSQL, Redis and load on two processors of one virtual machine, where the bare library answers discovery in 126 us of processor time; other machines took 72 to
390, and an earlier product in the slowest of them three to five times as much as the table says. Measure on your own. In the same hour a node on SQLite took 7,310 us for the sign-in, 1,360 for the SSO, 480 for
the refresh and 144 for userinfo.

A password hash takes ${number(MEASURED.hashMicroseconds)} us more (Argon2id, 19 MiB, two passes); every passkey, certificate or scan instead of a password saves it.

| what lies where | bytes |
|---|---|
| an account with document, password, phone and indexes, PostgreSQL (890 measured for account and document, the rest reckoned) | ${number(MEASURED.personBytes)} |
| a session with grant and refresh token of one portal, PostgreSQL | ${number(MEASURED.sessionBytes)} |
| an entry of the ledger with its indexes and its part of the tree, PostgreSQL | ${number(MEASURED.eventBytes)} |
| an access token with its grant's index, Redis, for ${MEASURED.accessTokenSeconds / 60} minutes | ${number(MEASURED.redisTokenBytes)} |
| a code that is kept (access in absence), Redis, for ${MEASURED.codeSeconds} seconds; all are reckoned so, though others carry what they stand for | ${number(MEASURED.redisCodeBytes)} |

## The formula

- Sign-ins in the busiest second: people x ${demand.activeShare} who sign in on a busy day x ${demand.signInsEach} each / 86,400 x ${demand.peakFactor} for the peak.
- With each sign-in come ${demand.ssoPerSignIn} SSO, ${demand.refreshesPerSignIn} refreshes and ${demand.userinfoPerSignIn} userinfo.
- Cores = sign-ins a second x processor time of all that comes with one / ${utilization}, for a core is to be busy half of the busiest second. Machines have
  ${coresEach} cores, one more than needed, two at least.
- Ledger a year = sign-ins of a busy day x 0.6 x 365 x entries x bytes. Disk = people + sessions of half a busy day + ledger for ${demand.ledgerYears} year,
  x 1.5. Redis = tokens and codes that are alive at the peak x 2.

## Five provinces

The last column is ${number(5000)} sign-ins a second, whatever makes them.

\`\`\`
${renderPlans(standardPlans())}
\`\`\`

The buffers of PostgreSQL (\`shared_buffers\`) should hold the rows and indexes by which people are found, 0.9 kB a person: of ten million 9 GB. With a ninth of it a known number took 1.45 times
as long to find at p99 as among ten thousand, with all of it 1.25; in [large pages](engines.md#postgresql) they cost less again ([figures](performance.md#the-same-on-postgresql)).

Not in it: what stands in front (TLS), the gateway for messages, standbys (each like the
primary, [two-cities.md](two-cities.md)), and backups. A figure of one machine with everything on it does not carry over to a network: PostgreSQL a
millisecond away makes nothing dearer, but each commit slower by as much.
`;
}
