import { checkCharacter } from '../documents/mod-11-2.ts';
import type { IdNumber } from '../id-number.ts';

/** Somebody who does not exist. */
export interface SyntheticPerson {
  readonly idNumber: IdNumber;
  readonly name: string;
  /** E.164, of a range in which no telephone rings. */
  readonly phone: string;
}

/**
 * District codes of the two provinces that were never assigned. 339900 and 449900 are left to the sample people and to whoever types
 * a number of their own.
 */
const REGIONS: readonly string[] = ['3399', '4499'].flatMap((prefix) =>
  Array.from({ length: 99 }, (_region, at) => `${prefix}${String(at + 1).padStart(2, '0')}`),
);
/** Everybody is of age, and nobody older than people become: minors need a guardian before they do anything. */
const BIRTH_FIRST = Date.UTC(1920, 0, 1);
const BIRTH_LAST = Date.UTC(2006, 11, 31);
const DAY_MS = 86_400_000;
const DAYS = (BIRTH_LAST - BIRTH_FIRST) / DAY_MS + 1;
/** A prime that does not divide the days: neighbours are born far apart, and after so many people every day had its turn. */
const DAY_STRIDE = 10_007;
/** 996 to 999 were once for people of a hundred years and more. */
const SEQUENCES = 995;
/** More than anybody will ask for: each region, day and sequence once. */
export const SYNTHETIC_PEOPLE_MAX = REGIONS.length * DAYS * SEQUENCES;

const SURNAMES = Array.from(
  '王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵万钱严赖覃洪武莫孔',
);
const GIVEN = {
  male: Array.from('伟强磊军洋勇杰涛超明刚平辉鹏华飞鑫波斌宇浩凯健俊帆志建国文海峰林晨博天泽瑞子轩'),
  female: Array.from('芳娜敏静丽艳娟霞秀英燕玲桂兰丹萍红梅洁云莉雪琳慧婷颖佳欣怡倩雨桐思涵梦瑶晓美玉珍'),
} as const;

/**
 * The one who stands at a place from 0 on: always the same, and nobody else anywhere. Every number is valid (GB 11643-1999) and nobody's;
 * days, districts and sequences are spread as in life, so that indexes are filled in no order. Pure. Throws `RangeError` beyond
 * `SYNTHETIC_PEOPLE_MAX`.
 */
export function syntheticPerson(place: number): SyntheticPerson {
  if (!Number.isInteger(place) || place < 0 || place >= SYNTHETIC_PEOPLE_MAX) throw new RangeError(`place ${place}`);
  const day = (place * DAY_STRIDE) % DAYS;
  // For one day, each round has a pair of region and sequence of its own: the sequence is only turned by day and region.
  const round = Math.floor(place / DAYS);
  const region = (round + day) % REGIONS.length;
  const sequence = 1 + ((Math.floor(round / REGIONS.length) + day * 101 + region * 37) % SEQUENCES);
  const birth = new Date(BIRTH_FIRST + day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '');
  const digits = `${REGIONS[region]}${birth}${String(sequence).padStart(3, '0')}`;
  return {
    idNumber: `${digits}${checkCharacter(digits)}` as IdNumber,
    name: nameAt(place, GIVEN[sequence % 2 === 1 ? 'male' : 'female']),
    phone: `+8612${String(place).padStart(9, '0')}`,
  };
}

/** Most people have two characters after their surname, every fifth has one. */
function nameAt(place: number, given: readonly string[]): string {
  const turned = scattered(place);
  const pick = (from: readonly string[], divisor: number): string => from[Math.floor(turned / divisor) % from.length]!;
  const first = pick(given, 128);
  const second = turned % 5 === 0 ? '' : pick(given, 128 * 64);
  return `${pick(SURNAMES, 1)}${first}${second}`;
}

/** 32 bits that look nothing like those of the neighbour (the finaliser of MurmurHash3). */
export function scattered(place: number): number {
  let bits = place | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
