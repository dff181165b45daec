import type { DocumentType } from '../../people/documents/document.ts';
import type { IdentifierType } from '../../people/identifiers/identifier.ts';

/** Texts about people and their documents, in Chinese. */
export const peopleZh = {
  /** Where a name would stand, for somebody who came with a network number and gave none. */
  unnamed: '未提供姓名',
  documents: {
    resident_id_card: '居民身份证',
    hmt_residence_permit: '港澳台居民居住证',
    foreign_resident_card: '外国人永久居留身份证',
    foreign_resident_card_2017: '外国人永久居留身份证（2017 版）',
    hm_travel_permit: '港澳居民来往内地通行证',
    taiwan_travel_permit: '台湾居民来往大陆通行证',
    prc_passport: '中华人民共和国护照',
    foreign_passport: '外国护照',
    net_number: '国家网络身份认证（网号）',
  } as Readonly<Record<DocumentType, string>>,
  identifiers: { phone: '手机号码', email: '电子邮箱', user_name: '用户名' } as Readonly<
    Record<IdentifierType, string>
  >,
};
