import type { LegalPersonClaim } from './legal-person-register.ts';

/**
 * The legal persons of the sample register. All of them are invented: region code 3399 was never assigned. Those who represent
 * them are people of the sample population register.
 */
export const SAMPLE_COMPANIES: readonly LegalPersonClaim[] = [
  {
    uscc: '91339900MA9X01014C',
    name: '示例数字科技有限公司',
    representative: { name: '王小明', documentType: 'resident_id_card', documentNumber: '339900199001011014' },
  },
  {
    uscc: '92339900MA9X010224',
    name: '示例市思远咖啡馆',
    representative: { name: '李思远', documentType: 'resident_id_card', documentNumber: '33990019850701009X' },
  },
  {
    uscc: '91339900MA9X010302',
    name: '示例远航物流有限公司',
    representative: { name: '周建国', documentType: 'resident_id_card', documentNumber: '339900197809230034' },
  },
  {
    uscc: '51339900500000023A',
    name: '示例市青年志愿者协会',
    representative: { name: '陈雨桐', documentType: 'resident_id_card', documentNumber: '449900200002290028' },
  },
  {
    uscc: '123399004700000218',
    name: '示例市图书馆',
    representative: { name: '吴秀英', documentType: 'resident_id_card', documentNumber: '339900196505120042' },
  },
];
