import { organisationCheckCharacter, type Uscc, usccCheckCharacter } from '../uscc.ts';

/** A company that does not exist. */
export interface SyntheticCompany {
  readonly uscc: Uscc;
  readonly name: string;
}

const DEPARTMENT_AND_CATEGORY = '91';
/** Districts of one province that were never assigned; 339900 is left to the sample companies. */
const DISTRICTS = 99;
/** Codes of organisations that begin with N are given to nobody. */
const ORGANISATION_DIGITS = 7;
export const SYNTHETIC_COMPANIES_MAX = 10 ** ORGANISATION_DIGITS;

const FIRST = Array.from('恒瑞鼎华盛嘉宏泰安新远博锦信启卓');
const SECOND = Array.from('达源诚和兴隆通丰晟洋宇航科明德润');
const TRADES = [
  '科技',
  '商贸',
  '餐饮',
  '物流',
  '建材',
  '服饰',
  '食品',
  '机电',
  '咨询',
  '农业',
  '旅游',
  '文化传媒',
] as const;

/** The company at a place from 0 on, always the same: valid to the letter (GB 32100-2015) and nobody's. Pure. Throws `RangeError` beyond. */
export function syntheticCompany(place: number): SyntheticCompany {
  if (!Number.isInteger(place) || place < 0 || place >= SYNTHETIC_COMPANIES_MAX) throw new RangeError(`place ${place}`);
  const district = String(1 + (place % DISTRICTS)).padStart(2, '0');
  const organisation = `N${String(place).padStart(ORGANISATION_DIGITS, '0')}`;
  const digits = `${DEPARTMENT_AND_CATEGORY}3399${district}${organisation}${organisationCheckCharacter(organisation)}`;
  const pick = <T>(from: readonly T[], divisor: number): T => from[Math.floor(place / divisor) % from.length]!;
  const style = `${pick(FIRST, TRADES.length)}${pick(SECOND, TRADES.length * FIRST.length)}`;
  return {
    uscc: `${digits}${usccCheckCharacter(digits)}` as Uscc,
    name: `示例${style}${pick(TRADES, 1)}有限公司`,
  };
}
