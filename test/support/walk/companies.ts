import { COMPANY, PEOPLE } from '../legal-persons.ts';
import { allow, fill, submit } from '../seen.ts';
import type { Walk } from './town.ts';

const OWNER = PEOPLE.owner;
const { agent: AGENT, representative: CLAIMANT } = PEOPLE;
const NO_REGISTER = { uscc: '51339900500000023A', name: '示例市青年志愿者协会' } as const;
const PDF = { name: 'certificate.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4\n%%EOF\n') } as const;
const csv = (text: string) => ({ name: 'agents.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });

/** Claiming: by the register, and where that cannot judge, by evidence. Resolves with the address of the company's page. */
async function claim({ page, eye, open }: Walk): Promise<string> {
  await open('/account/companies');
  await eye.at('account-companies', 'empty');
  await open('/account/companies/claim');
  await eye.at('account-company-claim');
  await fill(page, { ...COMPANY, uscc: '91339900MA9X01014O' });
  await eye.wrong('account-company-claim', 'code');
  await fill(page, { ...COMPANY, name: ' ' });
  await eye.wrong('account-company-claim', 'name');
  await fill(page, { ...COMPANY, name: '别人的公司' });
  await eye.wrong('account-company-claim', 'refused');
  await fill(page, COMPANY);
  await eye.at('account-company', 'claimed');
  const company = new URL(page.url()).pathname;
  await open('/account/companies/review');
  await eye.at('account-company-review');
  await page.locator('input[type="file"]').setInputFiles({ ...PDF, buffer: Buffer.from('no PDF at all') });
  await fill(page, { ...NO_REGISTER, note: '登记证书如附件' });
  await eye.wrong('account-company-review', 'file');
  await page.locator('input[type="file"]').setInputFiles(PDF);
  await fill(page, { ...NO_REGISTER, uscc: '51339900500000023' });
  await eye.wrong('account-company-review', 'code');
  await page.locator('input[type="file"]').setInputFiles(PDF);
  await fill(page, NO_REGISTER);
  await eye.at('account-companies', 'claim-waits');
  return company;
}

async function grant({ page, eye, open, hall }: Walk, company: string): Promise<void> {
  const agent = { agentName: AGENT.name, agentNumber: AGENT.idNumber };
  await open(`${company}/grant`);
  await eye.at('account-grant', 'company');
  await fill(page, { ...agent, agentNumber: '4499002000' });
  await eye.wrong('account-grant', 'number');
  await fill(page, { ...agent, agentName: ' ' });
  await eye.wrong('account-grant', 'name');
  await fill(page, agent);
  await eye.wrong('account-grant', 'matters');
  await page.locator('input[name="matter.general"]').check();
  await page.locator(`input[name="portal.${hall.id}"]`).check();
  await page.locator('input[name="mayDelegate"]').check();
  await submit(page);
  await eye.at('account-company', 'granted');
  await open(`${company}/import`);
  await eye.at('account-company-import');
  await page
    .locator('input[type="file"]')
    .setInputFiles(csv(`姓名,证件号码,事项\n${OWNER.name},33990019,no-such-matter\n`));
  await submit(page);
  await eye.wrong('account-company-import', 'faults');
  await page
    .locator('input[type="file"]')
    .setInputFiles(csv(`姓名,证件号码,事项\n${OWNER.name},${OWNER.idNumber},health-cover\n`));
  await submit(page);
  await eye.at('account-company-import', 'tried');
}

async function appoint({ page, eye, open }: Walk, company: string): Promise<void> {
  await open(company);
  await fill(page, { name: OWNER.name, idNumber: '33990019' });
  await eye.wrong('account-company', 'number');
  await fill(page, { name: PEOPLE.elder.name, idNumber: OWNER.idNumber });
  await eye.wrong('account-company', 'nobody');
  await fill(page, { name: OWNER.name, idNumber: OWNER.idNumber });
  await eye.at('account-company', 'appointed');
}

/** The agent sees the invitation, accepts, passes a part on, and acts. */
async function act({ page, eye, open, enter, hall, signIn, signOut }: Walk, company: string): Promise<void> {
  await signOut();
  await signIn(AGENT);
  await eye.at('account', 'invited');
  await open('/account/companies');
  await eye.at('account-companies', 'invited');
  await page.locator('form[action="/account/mandates/accept"] button').first().click();
  await eye.at('account-companies', 'accepted');
  await page.locator('a[href*="/pass-on"]').first().click();
  await eye.at('account-grant', 'passed-on');
  await enter(hall);
  await eye.at('choose-subject');
  await page.locator('button.subject').nth(1).click();
  await eye.at('consent', 'acting');
  await allow(page);
  await page.waitForURL(/callback/);
  await signOut();
  await signIn(CLAIMANT);
  await open(company);
  await page.locator('a[href*="/renew"]').first().click();
  await eye.at('account-mandate-renew');
  await open(`${company}/history`);
  await eye.at('account-company-history');
}

/** Everything about companies and mandates; the claimant is signed in before and after. */
export async function walkCompanies(walk: Walk): Promise<void> {
  const { page, eye, open } = walk;
  const company = await claim(walk);
  await grant(walk, company);
  await appoint(walk, company);
  await act(walk, company);
  await open('/account/companies/relative');
  await eye.at('account-grant', 'relative');
  await page.locator('input[name="matter.health-cover"]').check();
  await fill(page, { agentName: PEOPLE.elder.name, agentNumber: CLAIMANT.idNumber });
  await eye.wrong('account-grant', 'self');
  await fill(page, { agentName: PEOPLE.elder.name, agentNumber: PEOPLE.elder.idNumber });
  await eye.at('account-companies', 'full');
}
