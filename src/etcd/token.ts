/** What is known of a token that etcd gave at a login. */
export type Token =
  /** Stored in the memory of the members. It has no content, and ends when it is not used for a while. */
  | { readonly kind: 'simple' }
  /** Signed by the member. It contains the time of its end, by the wall clock of the member. */
  | { readonly kind: 'jwt'; readonly endsAtMs: number };

/** Reads a token: the claims of a JSON Web Token (RFC 7519), or none. */
export function tokenFrom(text: string): Token {
  const [, claims, ...rest] = text.split('.');
  if (claims === undefined || rest.length !== 1) return { kind: 'simple' };
  try {
    const json: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString());
    const seconds = typeof json === 'object' && json !== null && 'exp' in json ? json.exp : undefined;
    return typeof seconds === 'number' ? { kind: 'jwt', endsAtMs: seconds * 1000 } : { kind: 'simple' };
  } catch {
    return { kind: 'simple' };
  }
}
