/** What sort of subject a code belongs to, where rules or pages tell them apart. */
export type LegalPersonKind =
  | 'organ'
  | 'public_institution'
  | 'social_organisation'
  | 'company'
  | 'individual_business'
  | 'cooperative'
  | 'village_committee'
  | 'collective'
  | 'law_practice'
  | 'religious_body'
  | 'trade_union'
  | 'military_institution'
  | 'other';

export interface Category {
  /** Registration department and category, the first two characters of the code. */
  readonly code: string;
  readonly kind: LegalPersonKind;
  readonly zh: string;
  readonly en: string;
}

const category = (code: string, kind: LegalPersonKind, zh: string, en: string): readonly [string, Category] => [
  code,
  { code, kind, zh, en },
];

/**
 * Pairs of registration department and category of GB 32100-2015. A pair that is missing is no mistake of whoever typed it:
 * departments get new categories, so it is warned of and accepted. 个体工商户 is no legal person in law, but is acted for like one.
 */
export const CATEGORIES: ReadonlyMap<string, Category> = new Map([
  category('11', 'organ', '机关', 'State organ'),
  category('12', 'public_institution', '事业单位', 'Public institution'),
  category('13', 'social_organisation', '编办直接管理机构编制的群众团体', 'Mass organisation'),
  category('19', 'other', '机构编制其他', 'Other, establishment office'),
  category('21', 'other', '外国常驻新闻机构', 'Resident foreign press'),
  category('29', 'other', '外交其他', 'Other, foreign affairs'),
  category('31', 'law_practice', '律师执业机构', 'Law firm'),
  category('32', 'public_institution', '公证处', 'Notary office'),
  category('33', 'law_practice', '基层法律服务所', 'Local legal service'),
  category('34', 'other', '司法鉴定机构', 'Forensic institution'),
  category('35', 'other', '仲裁委员会', 'Arbitration commission'),
  category('39', 'other', '司法行政其他', 'Other, justice administration'),
  category('41', 'other', '外国在华文化中心', 'Foreign cultural centre'),
  category('49', 'other', '文化其他', 'Other, culture'),
  category('51', 'social_organisation', '社会团体', 'Social organisation'),
  category('52', 'social_organisation', '民办非企业单位', 'Private non-enterprise unit'),
  category('53', 'social_organisation', '基金会', 'Foundation'),
  category('54', 'village_committee', '基层群众性自治组织', 'Village or residents’ committee'),
  category('59', 'other', '民政其他', 'Other, civil affairs'),
  category('61', 'other', '外国旅游部门常驻代表机构', 'Foreign tourism office'),
  category('62', 'other', '港澳台地区旅游部门常驻内地（大陆）代表机构', 'Tourism office of Hong Kong, Macao or Taiwan'),
  category('69', 'other', '旅游其他', 'Other, tourism'),
  category('71', 'religious_body', '宗教活动场所', 'Place of worship'),
  category('72', 'religious_body', '宗教院校', 'Religious school'),
  category('79', 'other', '宗教其他', 'Other, religious affairs'),
  category('81', 'trade_union', '基层工会', 'Trade union'),
  category('89', 'other', '工会其他', 'Other, trade unions'),
  category('91', 'company', '企业', 'Company'),
  category('92', 'individual_business', '个体工商户', 'Individual business'),
  category('93', 'cooperative', '农民专业合作社', 'Farmers’ cooperative'),
  category('A1', 'military_institution', '军队事业单位', 'Military institution'),
  category('A9', 'other', '军队其他', 'Other, military'),
  category('N1', 'collective', '组级集体经济组织', 'Group collective'),
  category('N2', 'collective', '村级集体经济组织', 'Village collective'),
  category('N3', 'collective', '乡镇级集体经济组织', 'Township collective'),
  category('N9', 'other', '农业其他', 'Other, agriculture'),
  category('Y1', 'other', '其他', 'Other'),
]);
