import type { X509Certificate } from 'node:crypto';
import { quote } from '../base/quote.ts';
import type { TlsConfig } from '../config/config.ts';
import { isSelfSigned, nameInLine } from './certificate-facts.ts';

/** What is known of a member whose certificate TLS does not trust. */
export interface Shown {
  /** The certificates that the member sends, its own first; empty when that is unknown. */
  readonly sent: readonly X509Certificate[];
  /** The certificates in `ca_cert`; empty without that key. */
  readonly authorities: readonly X509Certificate[];
  readonly tls: Pick<TlsConfig, 'caFile'>;
  readonly now: Date;
}

/** One certificate of the chain from the member's own to an authority, and its name in a message. */
export interface Link {
  readonly certificate: X509Certificate;
  readonly called: string;
  readonly place: 'own' | 'between' | 'authority';
}

/** The name of a certificate's subject or issuer, in quotes. */
export const nameOf = (name: string | undefined): string => quote(nameInLine(name));

/**
 * Compares the name and the signature only. `checkIssued` also requires the issuer to be an authority, which may be the
 * mistake.
 */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.issuer === issuer.subject && certificate.verify(issuer.publicKey);
}

/** The chain from the member's own certificate to an authority, as far as it is known. */
export function pathOf({ sent, authorities, tls }: Shown): Link[] {
  const links = sent.map((certificate, index): Link =>
    index === 0
      ? { certificate, called: "the member's certificate", place: 'own' }
      : {
          certificate,
          called: `the intermediate certificate ${nameOf(certificate.subject)} that the member sends`,
          place: 'between',
        },
  );
  for (const { certificate } of links) {
    const issuer = authorities.find((one) => one !== certificate && isIssuedBy(certificate, one));
    if (issuer === undefined || links.some((link) => link.certificate.raw.equals(issuer.raw))) continue;
    const called = `the authority ${nameOf(issuer.subject)} in ca_cert "${tls.caFile ?? ''}"`;
    return [...links, { certificate: issuer, called, place: 'authority' }];
  }
  return links;
}

/** The member's own certificate, and those of the sent ones that lead from it to an authority, in that order. */
export function linkedChain(sent: readonly X509Certificate[]): X509Certificate[] {
  const chain = sent.slice(0, 1);
  for (let last = chain.at(-1); last !== undefined && !isSelfSigned(last);) {
    const below = last;
    last = sent.find((one) => !chain.includes(one) && isIssuedBy(below, one));
    if (last !== undefined) chain.push(last);
  }
  return chain;
}
