/** The members of sm-crypto 0.5.8 that our own SM2 is compared with; the package brings no types. Texts are hexadecimal. */
declare module 'sm-crypto' {
  interface SmSignatureOptions {
    readonly hash: boolean;
    readonly der: boolean;
    readonly userId: string;
  }

  export const sm2: {
    doSignature(message: Uint8Array, privateKey: string, options: SmSignatureOptions & { publicKey: string }): string;
    doVerifySignature(message: Uint8Array, signature: string, publicKey: string, options: SmSignatureOptions): boolean;
    /** C1 without its first byte, C3, C2 for mode 1. */
    doEncrypt(text: Uint8Array, publicKey: string, mode: 1): string;
    /** Nothing at all for a ciphertext that is wrong. */
    doDecrypt(ciphertext: string, privateKey: string, mode: 1, options: { readonly output: 'array' }): number[];
  };
}
