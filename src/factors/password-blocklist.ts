/**
 * Passwords that attackers try first (D3): what people everywhere and in China choose, as words, keyboard walks and digit
 * patterns, each with the endings people add to satisfy a rule. Compared after `fold`, so `P@ssw0rd!` is `password` here.
 */
const WORDS = `
  password passwort passw0rd admin administrator root guest user test tester demo default welcome login signin letmein hello
  hellothere master super superman batman spiderman pokemon naruto starwars minecraft fortnite dragon monkey tiger lion
  shadow sunshine princess prince flower butterfly football baseball basketball soccer hockey michael jordan jennifer
  jessica daniel andrew thomas robert charlie charles george summer winter spring autumn monday friday january december
  iloveyou loveyou lovely lover forever friend friends family mother father baby angel heaven freedom secret private
  computer internet google facebook twitter youtube microsoft windows apple samsung huawei xiaomi tencent alibaba alipay
  wechat weixin qwerty qwertyuiop qwerasdf asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx qazwsxedc abcdef abcdefg abcabc
  trustno changeme chelsea liverpool arsenal barcelona madrid london paris newyork beijing shanghai guangzhou shenzhen
  hangzhou nanjing wuhan chengdu chongqing tianjin suzhou xian zhejiang jiangsu guangdong shandong hunan hubei henan
  sichuan fujian zhongguo china chinese woaini woaiwo aini nihao woaizhongguo woshishei mima wodemima zhanghao yonghu
  denglu guanliyuan ceshi gongsi laoban baobao baobei qinai tianshi xiaoming wangxiaoming zhangsan lisi wangwu zhaoliu
  xiaohong xingfu kuaile jiankang facai gongxifacai pingan wanshiruyi shengri laopo laogong mama baba qaqwsx
  access hunter killer ranger ginger pepper cookie cheese chocolate banana orange purple silver golden diamond
  matrix phoenix mustang ferrari porsche mercedes toyota yamaha harley guitar music soccer
  database server oracle mysql linux ubuntu cisco juniper security manager office company service system support
  government zhengwu zhengfu zwfw tongban shengfen shenfenzheng
`
  .split(/\s+/)
  .filter((word) => word !== '');

const ENDINGS = `
  1 12 123 1234 12345 123456 1234567 12345678 123456789 0 00 000 01 007 11 111 1111 22 222 321 4321 54321 654321 520 521
  1314 5201314 52 66 666 6666 88 888 8888 99 999 9999 168 518 100 2000 2008 2010 2015 2018 2019 2020 2021 2022 2023 2024
  2025 2026 2027 1980 1985 1988 1990 1995 1999 a abc qwe
`
  .split(/\s+/)
  .filter((ending) => ending !== '');

/** Whole passwords that no word and ending makes. */
const WHOLE = `
  a123456 a1234567 a12345678 a123456789 aa123456 aaa123456 aa12345678 abc123456 abcd1234 abcd123456 abc12345678 q123456
  qq123456 qq123456789 w123456 z123456 x123456 wang1234 wang123456 zhang123 zhang123456 li123456 liu123456 chen123456 yang123456
  zhao123456 huang123456 zhou123456 xu123456 sun123456 ma123456 lin123456 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx
  1qaz2wsx3edc 1qazxsw2 qaz123456 zaq12wsx qwe123456 qwer1234 qwert12345 qwerty123456 asd123456 asdf1234 zxc123456 zxcv1234
  qwe123qwe q1w2e3r4 q1w2e3r4t5 1a2b3c4d a1b2c3d4 a1s2d3f4 123qweasd 123qweasdzxc qweasdzxc qweasd123 123456qwe 123456abc
  123456asd 123456aa 123123qwe 123abc123 woaini1314 woaini520 woaini521 woaini123 5201314a 5201314aa 1314520 13145200 13145210
  52013140 iloveyou1314 caonima123 nimabi123 147258369 147852369 258369147 159357456 123654789 789456123 741852963 963852741
  123321123 112233445566 11223344 11235813 12344321 123454321 1234554321 12345654321 100200300 110110110 110120119 119120110
  31415926 314159265 27182818 18181818 19491001 20080808 20000101 88888888a 66666666a 168168168 518518518 521521521 147147147
  159753456 987654321a 0123456789 1234567890 0987654321 12345678910 abcdefghijk zyxwvuts password1password letmeinplease
  iloveyouforever whatever whatever1 ncc1701d trustno1 thx1138a monkey123 dragon123 changeit changeme123 welcome2china
  adminadmin rootroot testtest guestguest admin888 admin8888 admin888888 administrator1 p455w0rd passpass loveyou1314
`
  .split(/\s+/)
  .filter((password) => password !== '');

const LEET: Readonly<Record<string, string>> = {
  '@': 'a',
  $: 's',
  '0': 'o',
  '1': 'l',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '!': 'i',
};

/** Lower-case, with the usual replacements undone: two spellings that a guessing program treats as one are one. */
const fold = (text: string): string =>
  text.toLowerCase().replace(/[@$013457!]/g, (character) => LEET[character] ?? character);

const TRAILING_MARKS = /[!?.,@#$%^&*_+=~-]+$/;

const MARKS = /[^\p{L}\p{N}]/gu;

let folded: ReadonlySet<string> | undefined;

/** Folded when the first password is chosen: a start has no use for tens of thousands of them. */
function common(): ReadonlySet<string> {
  folded ??= new Set(
    [...WORDS, ...WHOLE, ...WORDS.flatMap((word) => [word + word, ...ENDINGS.map((ending) => word + ending)])].map(
      fold,
    ),
  );
  return folded;
}

/** Number of common passwords of at least `minLength` characters on the list. */
export const commonPasswordsCount = (minLength: number): number => {
  let count = 0;
  for (const password of common()) if (password.length >= minLength) count += 1;
  return count;
};

/** Whether the password is on the list, also in other case, with look-alike characters or with marks in it (`Admin@123`). */
export function isCommonPassword(password: string): boolean {
  const spellings = [password, password.replace(TRAILING_MARKS, ''), password.replace(MARKS, '')];
  return spellings.some((spelling) => common().has(fold(spelling)));
}

const SEQUENCES = [
  '0123456789012345678901234567890',
  'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz',
  'qwertyuiopasdfghjklzxcvbnm',
].flatMap((sequence) => [sequence, Array.from(sequence).reverse().join('')]);

const REPEATED_UNIT_CHARS_MAX = 5;

/** Whether the password is one short piece over and over (`abcabcabc`, `88888888`) or a walk along digits, letters or keys. */
export function isPattern(password: string): boolean {
  const text = password.toLowerCase();
  for (let unit = 1; unit <= Math.min(REPEATED_UNIT_CHARS_MAX, text.length / 2); unit += 1) {
    if (
      text ===
      text
        .slice(0, unit)
        .repeat(Math.ceil(text.length / unit))
        .slice(0, text.length)
    )
      return true;
  }
  return SEQUENCES.some((sequence) => sequence.includes(text));
}
