/**
 * The library that reads what an authenticator has signed (WebAuthn Level 3, 7.1 and 7.2). Loaded with the first answer that
 * wants reading, and not at the start of the server, of which it would take a tenth.
 */
export const passkeyLibrary = () => import('@simplewebauthn/server');
