/** What can be told of a token that etcd gave at a login. */
export type Token =
  /** Known to the members' memory only: it says nothing, and ends when it is not used for a while. */
  | { readonly kind: 'simple' }
  /** Signed; it says itself when it ends, by the member's wall clock. */
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
