import type { TlsConfig } from '../../src/config/config.ts';

/** The configuration's TLS part when the file has no key about TLS. */
export const NO_TLS_KEYS: TlsConfig = {
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  keyPasswordFile: undefined,
  serverName: undefined,
  insecureSkipVerify: false,
};
