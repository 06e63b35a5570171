/** How CTDB reads a value. */
export type OptionType = 'text' | 'number' | 'flag';

/** The sections of ctdb.conf and their options, of CTDB 4.17 to 4.25 (samba, `ctdb-config dump`). */
export const CTDB_OPTIONS: Readonly<Record<string, Readonly<Record<string, OptionType>>>> = {
  logging: { location: 'text', 'log level': 'text' },
  cluster: {
    transport: 'text',
    'node address': 'text',
    'cluster lock': 'text',
    'recovery lock': 'text',
    'nodes list': 'text',
    'leader timeout': 'number',
    'leader capability': 'flag',
  },
  database: {
    'volatile database directory': 'text',
    'persistent database directory': 'text',
    'state database directory': 'text',
    'lock debug script': 'text',
    'tdb mutexes': 'flag',
  },
  event: { 'debug script': 'text' },
  failover: { disabled: 'flag' },
  legacy: {
    'realtime scheduling': 'flag',
    'recmaster capability': 'flag',
    'lmaster capability': 'flag',
    'start as stopped': 'flag',
    'start as disabled': 'flag',
    'script log level': 'text',
  },
};
