import { shellWord } from '../config/named-files.ts';
import { convertCommand, wideEncodingOf } from '../config/text-encoding.ts';

/** The format of a file that is not PEM, and the command that converts it. */
export interface ForeignFormat {
  /** A noun phrase that follows "is". */
  readonly name: string;
  readonly remedy: string;
}

/** What the file is needed for. It decides what the command takes from the file. */
export type Wanted = 'authorities' | 'certificate' | 'key';

// Object identifiers in DER: signedData of PKCS#7 (RFC 2315), and RC2 with 40 bits. Old programs encrypt PKCS#12 with
// the latter (RFC 7292, appendix C), and OpenSSL 3 reads it only with -legacy.
const SIGNED_DATA = Buffer.from('06092a864886f70d010702', 'hex');
const RC2_40 = Buffer.from('060a2a864886f70d010c0106', 'hex');

const DER_SEQUENCE = 0x30;

/** The content of the outermost SEQUENCE of DER; undefined when there is none. */
function sequenceIn(bytes: Buffer): Buffer | undefined {
  const [tag, length] = bytes;
  if (tag !== DER_SEQUENCE || length === undefined) return undefined;
  return bytes.subarray(length < 0x80 ? 2 : 2 + (length & 0x7f));
}

function startsWith(bytes: Buffer, hex: string): boolean {
  return bytes.subarray(0, hex.length / 2).toString('hex') === hex;
}

/** The options of the command that takes the wanted part from a PKCS#12 file. */
const PKCS12_OPTIONS: Readonly<Record<Wanted, string>> = {
  authorities: '-cacerts -nokeys',
  certificate: '-nokeys',
  key: '-nocerts -nodes',
};

function derFormat(bytes: Buffer, path: string, wanted: Wanted): ForeignFormat | undefined {
  const content = sequenceIn(bytes);
  if (content === undefined) return undefined;
  const [from, to] = [shellWord(path), shellWord(`${path}.pem`)];
  // PFX ::= SEQUENCE { version INTEGER (3), … } (RFC 7292, section 4)
  if (startsWith(content, '020103')) {
    const legacy = bytes.includes(RC2_40) ? ' -legacy' : '';
    return {
      name: 'PKCS#12',
      remedy: `convert it, and use the new file: openssl pkcs12${legacy} -in ${from} ${PKCS12_OPTIONS[wanted]} -out ${to}`,
    };
  }
  if (content.subarray(0, SIGNED_DATA.length).equals(SIGNED_DATA)) {
    return {
      name: 'PKCS#7',
      remedy: `convert it, and use the new file: openssl pkcs7 -inform DER -in ${from} -print_certs -out ${to}`,
    };
  }
  const program = wanted === 'key' ? 'pkey' : 'x509';
  return {
    name: 'DER, not PEM',
    remedy: `convert it, and use the new file: openssl ${program} -inform DER -in ${from} -out ${to}`,
  };
}

/** The format of a file that is not PEM; undefined for text in an encoding that PEM has. Pure. */
export function foreignFormatOf(bytes: Buffer, path: string, wanted: Wanted): ForeignFormat | undefined {
  const encoding = wideEncodingOf(bytes);
  if (encoding !== undefined) {
    return {
      name: `${encoding} text`,
      remedy: `convert it to UTF-8: ${convertCommand(encoding, path)}`,
    };
  }
  // The first bytes of JKS and JCEKS.
  if (startsWith(bytes, 'feedfeed') || startsWith(bytes, 'cececece')) {
    const store = shellWord(`${path}.p12`);
    return {
      name: 'a Java keystore',
      remedy: `run keytool -importkeystore -srckeystore ${shellWord(path)} -destkeystore ${store} -deststoretype PKCS12, then openssl pkcs12 -in ${store} ${PKCS12_OPTIONS[wanted]} -out ${shellWord(`${path}.pem`)}`,
    };
  }
  const encoded = base64Format(bytes, path);
  return encoded ?? derFormat(bytes, path, wanted);
}

/** Base64 of the word `-----BEGIN `, as in a Secret of Kubernetes. */
const ENCODED_BOUNDARY = 'LS0tLS1CRUdJTi';

function base64Format(bytes: Buffer, path: string): ForeignFormat | undefined {
  if (bytes.toString('latin1', 0, ENCODED_BOUNDARY.length) !== ENCODED_BOUNDARY) return undefined;
  return {
    name: 'a PEM file in base64',
    remedy: `decode it, and use the new file: base64 -d ${shellWord(path)} > ${shellWord(`${path}.pem`)}`,
  };
}
