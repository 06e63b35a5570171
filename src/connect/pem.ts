/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  /** The text between `-----BEGIN ` and `-----`. */
  readonly label: string;
  /** The line of its beginning, counted from 1. */
  readonly line: number;
  /** The text between the two boundaries. */
  readonly body: string;
}

/** Why a text is not a PEM file, as a clause that follows the file's name. */
export interface PemProblem {
  readonly line: number;
  readonly problem: string;
}

// Any label, such as `PKCS #7 SIGNED DATA`, so that no block is skipped without a message.
const BOUNDARY = /-----(BEGIN|END) ([^\r\n-]+)-----/g;

// A line that was meant as a boundary: dashes are missing, or are typographic ones (bytes above 0x7f in UTF-8), or the
// words are in another case.
const MEANT_AS_BOUNDARY =
  /[\x80-\xff-]{2,}[\t ]*(begin|end) [a-z0-9 ]*(certificate|key|request|crl|pkcs7|cms)s?[\t ]*[\x80-\xff-]*[\t ]*\r?$|^[\t ]*(begin|end) [a-z0-9 ]*(certificate|key)s?[\t ]*[\x80-\xff-]{2,}/im;

// The spelling that OpenSSL accepts (`crypto/pem/pem_lib.c`).
const LABEL = /^[A-Z0-9](?:[A-Z0-9 #./+]*[A-Z0-9])?$/;

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function noBoundary(text: string, index: number): PemProblem {
  return {
    line: lineAt(text, index),
    problem: 'is not a PEM boundary, want -----BEGIN CERTIFICATE----- or -----END CERTIFICATE-----',
  };
}

function damagedBoundary(text: string, from: number, to: number): PemProblem | undefined {
  const damaged = MEANT_AS_BOUNDARY.exec(text.slice(from, to));
  return damaged === null ? undefined : noBoundary(text, from + damaged.index);
}

/**
 * Splits a text into its blocks. A boundary may begin anywhere in a line, because two files are often joined without a
 * line end between them. Text between the blocks is a comment and is skipped. Text that looks like a broken boundary is
 * a problem, because a block would otherwise be missing without a message. Pure, never throws.
 */
export function pemBlocks(text: string): readonly PemBlock[] | PemProblem {
  const blocks: PemBlock[] = [];
  let open: { readonly label: string; readonly line: number; readonly from: number } | undefined;
  let after = 0;
  for (const { 0: boundary, 1: kind, 2: label = '', index } of text.matchAll(BOUNDARY)) {
    const damaged = damagedBoundary(text, after, index);
    if (damaged !== undefined) return damaged;
    if (!LABEL.test(label)) return noBoundary(text, index);
    after = index + boundary.length;
    if (kind === 'BEGIN') {
      if (open !== undefined) return unended(open);
      open = { label, line: lineAt(text, index), from: after };
    } else if (open?.label !== label) {
      return open === undefined
        ? { line: lineAt(text, index), problem: `ends a ${label} that has no beginning` }
        : unended(open);
    } else {
      blocks.push({ label, line: open.line, body: text.slice(open.from, index) });
      open = undefined;
    }
  }
  const damaged = damagedBoundary(text, after, text.length);
  if (damaged !== undefined && open === undefined) return damaged;
  return open === undefined ? blocks : unended(open);
}

function unended({ label, line }: { readonly label: string; readonly line: number }): PemProblem {
  return { line, problem: `begins a ${label} that has no end` };
}

/** The bytes of a block, or the first character in it that is not base64, and its line in the file. */
export function contentOf({
  body,
  line,
}: PemBlock): { readonly der: Buffer } | { readonly wrong: string; readonly line: number } {
  const wrong = /[^A-Za-z0-9+/=\s]|=(?=\s*[^=\s])/.exec(body);
  return wrong === null
    ? { der: Buffer.from(body, 'base64') }
    : { wrong: wrong[0], line: line + lineAt(body, wrong.index) - 1 };
}

/** The bytes of a block without headers; undefined when it contains characters other than base64. */
export function derOf(block: PemBlock): Buffer | undefined {
  const content = contentOf(block);
  return 'der' in content ? content.der : undefined;
}
