import { shippedSettings, type Tree } from './load.ts';
import { limitsOf, valueAt } from './reference.ts';
import { environmentName, SETTINGS, type Setting } from './schema.ts';

/** What a policy is about, in the order of the page; everything else is no business of it. */
const SECTIONS: readonly (readonly [section: string, title: string])[] = [
  ['password', 'Passwords'],
  ['session', 'Sessions'],
  ['limits', 'Guessing'],
  ['defence', 'Suspicion'],
  ['codes', 'Sent codes'],
  ['account', 'Sensitive changes'],
  ['recovery', 'A new password'],
  ['staff', 'Members of staff'],
];

const INTRODUCTION = `# Policies

<!-- Rendered from src/config and config/; do not edit. Regenerate: npm run -s tongban -- docs policies --write -->

\`policy\` (\`TONGBAN_POLICY\`) chooses the defaults of everything that decides how hard it is to get in and how long one stays:

- \`citizen-default\`: for people who come a few times a year. Length instead of composition, no calendar rotation, blocklists, and a second factor
  wherever more than the first level is asked for.
- \`mlps3\`: where the scheme of GB/T 22239 level 3 is applied to every account. A composition rule, shorter times, and passwords that are
  changed every 90 days and not used again, because the scheme wants them.

Each setting can still be set by itself, within its bounds; what is set wins over the policy. The bounds hold for both: no policy and no setting can be
wider. A password that is too old is changed in the next sign-in that gives it, after every other proof the account asks for and before a portal is entered;
sessions, and refresh tokens of portals, that rest on it are worth nothing from then on, and whoever signs in with a key instead is not asked. Settings of \`staff\` are the same under both, and can
only be made narrower: passwords of members of staff are changed every 90 days at their own portals, and not used again, under either.
`;

const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const shown = (value: unknown): string => {
  if (value === '' || (Array.isArray(value) && value.length === 0)) return 'empty';
  return `\`${String(value)}\``;
};

function sectionOf(title: string, settings: readonly Setting[], plain: Tree, strict: Tree): string {
  const rows = settings.map((setting) => {
    const usual = valueAt(plain, setting.path);
    const stricter = valueAt(strict, setting.path) ?? usual;
    const isOther = stricter !== usual;
    return row(
      `\`${setting.path.join('.')}\``,
      limitsOf(setting),
      shown(usual),
      isOther ? `**${shown(stricter)}**` : shown(stricter),
      `\`${environmentName(setting.path)}\``,
    );
  });
  const head = [row('Setting', 'Bounds', 'citizen-default', 'mlps3', 'Environment'), row('-', '-', '-', '-', '-')];
  return `## ${title}\n\n${[...head, ...rows].join('\n')}\n`;
}

/** The text of docs/policies.md. What each setting means stands in docs/configuration.md. */
export function renderPolicies(): string {
  const [plain, strict] = [shippedSettings('default'), shippedSettings('policy-mlps3')];
  const sections = SECTIONS.map(([section, title]) =>
    sectionOf(
      title,
      SETTINGS.filter(({ path }) => path[0] === section),
      plain,
      strict,
    ),
  );
  return [INTRODUCTION, ...sections].join('\n');
}
