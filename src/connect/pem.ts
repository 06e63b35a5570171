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

const BOUNDARY = /-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]*)-----/g;

// A line that was meant as a boundary: dashes are missing, or the words are in another case.
const MEANT_AS_BOUNDARY =
  /-{2,}[\t ]*(begin|end) [a-z0-9 ]*(certificate|key|request|crl|pkcs7|cms)s?[\t ]*-*[\t ]*\r?$|^[\t ]*(begin|end) [a-z0-9 ]*(certificate|key)s?[\t ]*-{2,}/im;

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function damagedBoundary(text: string, from: number, to: number): PemProblem | undefined {
  const damaged = MEANT_AS_BOUNDARY.exec(text.slice(from, to));
  if (damaged === null) return undefined;
  return {
    line: lineAt(text, from + damaged.index),
    problem: 'is not a PEM boundary, want -----BEGIN CERTIFICATE----- or -----END CERTIFICATE-----',
  };
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

/** The bytes of a block without headers; undefined when it contains characters other than base64. */
export function derOf({ body }: PemBlock): Buffer | undefined {
  return /^[A-Za-z0-9+/=\s]*$/.test(body) ? Buffer.from(body, 'base64') : undefined;
}
