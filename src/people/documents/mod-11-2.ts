const CHECK_CHARACTERS = '10X98765432';

/**
 * The check character of ISO 7064 MOD 11-2 over 17 digits (more are passed over), as on every Chinese card with 18 characters. Horner's
 * form: the weight of a digit is 2 to the power of its distance. Finds every single wrong character and every swap of neighbours.
 */
export function checkCharacter(digits: string): string {
  let sum = 0;
  for (let place = 0; place < 17; place += 1) sum = (sum + Number(digits[place])) * 2;
  return CHECK_CHARACTERS[sum % 11]!;
}
