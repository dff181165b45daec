/** The members of sm-crypto 0.5.8 we use; the package brings no types. Texts are hexadecimal. */
declare module 'sm-crypto' {
  /** A whole number as sm-crypto's own arithmetic holds it. */
  export interface SmNumber {
    toString(radix: number): string;
  }

  interface SmSignatureOptions {
    readonly hash: boolean;
    readonly der: boolean;
    readonly userId: string;
  }

  export const sm2: {
    /** Takes the nonce from `pointPool`, and makes one itself when that is empty. */
    doSignature(
      message: Uint8Array,
      privateKey: string,
      options: SmSignatureOptions & {
        readonly publicKey: string;
        readonly pointPool: { readonly k: SmNumber; readonly x1: SmNumber }[];
      },
    ): string;
    doVerifySignature(message: Uint8Array, signature: string, publicKey: string, options: SmSignatureOptions): boolean;
  };
}
