/** A sign-in page without what is random in every page: what is left must not tell accounts apart (D9). */
export const withoutChance = (text: string, uid: string, identifier: string): string =>
  text
    .replaceAll(uid, 'UID')
    .replaceAll(identifier, 'IDENTIFIER')
    .replaceAll(/name="form_token" value="[^"]*"/g, 'TOKEN')
    // The challenge for a passkey is drawn for each page, whoever is asked about.
    .replaceAll(/(&quot;challenge&quot;:&quot;)[\w-]{40,}(?=&quot;)/g, '$1CHALLENGE');
