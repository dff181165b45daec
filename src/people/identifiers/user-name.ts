import { recogniseDocument } from '../documents/parse.ts';
import { typedText } from '../documents/typed-text.ts';
import { normalPhone } from './contact.ts';

/** Why a text may not be somebody's user name. */
export type UserNameRefusal =
  | 'length'
  | 'characters'
  | 'mixed_scripts'
  | 'no_letter'
  | 'looks_like_number'
  | 'reserved';

export type UserNameOutcome =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly reason: UserNameRefusal };

const CHARS_MIN = 4;
const CHARS_MAX = 32;
const SHAPE = /^[\p{L}\d][\p{L}\d._-]*$/u;
const DIVIDERS = /[._-]/g;
const LATIN = /\p{Script=Latin}/u;
/** Scripts with letters nobody can tell from Latin ones. */
const LOOKALIKE = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u;
/** Digits alone, or with the check character of a card: whatever it is, somebody could take it for a number of theirs. */
const NUMBER = /^\d+x?$/;
/** With as many digits it is a number with a slip in it, or a name that tells everybody its owner's number. */
const DIGITS_MAX = 9;

/** Names under which people would expect an office, or a program a value. */
const RESERVED: ReadonlySet<string> = new Set(
  `admin administrator root system superuser operator security auditor audit support help helpdesk service hotline official government
   gov tongban guest anonymous nobody everyone someone self null undefined none true false test unknown account login signin register
   webmaster postmaster hostmaster 管理员 系统管理员 超级管理员 安全管理员 审计管理员 统一身份认证 政务服务 政务服务网 人民政府 工作人员 服务热线 官方客服 客服中心 一网通办`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

/** Case folding as far as JavaScript has it: by way of capitals, so that `ß` and `ss`, `ς` and `σ` are one. */
const folded = (text: string): string => text.toUpperCase().toLowerCase().normalize('NFKC');

/**
 * A user name: 4 to 32 letters of any script, digits, `.`, `_` and `-`, in NFKC and without regard to case (GB/T 22239 asks for an
 * identity that is unique). It is never a number, and nothing that could be taken for a document or a phone: one text names one thing.
 */
export function parseUserName(typed: string): UserNameOutcome {
  const outcome = readUserName(typed);
  if (!outcome.ok || !RESERVED.has(outcome.name.replace(DIVIDERS, ''))) return outcome;
  return { ok: false, reason: 'reserved' };
}

/** The same but for the words nobody may choose: what they are is not for a look-up to tell. */
export function readUserName(typed: string): UserNameOutcome {
  const refused = (reason: UserNameRefusal): UserNameOutcome => ({ ok: false, reason });
  const name = folded(typedText(typed) ?? '');
  const length = Array.from(name).length;
  if (length < CHARS_MIN || length > CHARS_MAX) return refused('length');
  if (!SHAPE.test(name)) return refused('characters');
  if (LATIN.test(name) && LOOKALIKE.test(name)) return refused('mixed_scripts');
  const bare = name.replace(DIVIDERS, '');
  if (bare.replace(/\D/g, '').length > DIGITS_MAX && /\D/.test(bare)) return refused('looks_like_number');
  if (NUMBER.test(bare)) return refused(/^\d+$/.test(bare) ? 'no_letter' : 'looks_like_number');
  const isNumber = [name, bare].some((text) => recogniseDocument(text) ?? normalPhone(text));
  return isNumber ? refused('looks_like_number') : { ok: true, name };
}
