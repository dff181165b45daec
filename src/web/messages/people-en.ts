import type { peopleZh } from './people-zh-CN.ts';

/** Texts about people and their documents, in English. */
export const peopleEn: typeof peopleZh = {
  unnamed: 'No name given',
  documents: {
    resident_id_card: 'Resident identity card',
    hmt_residence_permit: 'Residence permit for Hong Kong, Macao and Taiwan residents',
    foreign_resident_card: 'Foreign permanent resident ID card',
    foreign_resident_card_2017: 'Foreign permanent resident ID card (2017 version)',
    hm_travel_permit: 'Mainland travel permit for Hong Kong and Macao residents',
    taiwan_travel_permit: 'Mainland travel permit for Taiwan residents',
    prc_passport: 'Passport of the People’s Republic of China',
    foreign_passport: 'Foreign passport',
    net_number: 'National network identity (network number)',
  },
  identifiers: { phone: 'Phone', email: 'E-mail', user_name: 'User name' },
};
