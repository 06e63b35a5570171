/** One way to write ctdb.conf, and what CTDB makes of it. */
export interface CtdbConfForm {
  readonly what: string;
  /** One character for each byte. */
  readonly text: string;
  /** Its cluster lock; undefined when CTDB has none. */
  readonly lock: string | undefined;
  /** CTDB does not start. */
  readonly refused?: true;
  /** CTDB reads no further, and goes by defaults. */
  readonly dropped?: true;
}

const SET = ' cluster lock = !/x -v\n';
const LOCK = '!/x -v';

/** As `ctdb-config` of CTDB 4.17 reads them, which test/ctdb/ctdb-conf.test.ts shows. */
export const CTDB_CONF_FORMS: readonly CtdbConfForm[] = [
  { what: 'nothing', text: '', lock: undefined },
  { what: 'the usual line', text: `[cluster]\n${SET}`, lock: LOCK },
  { what: 'no line feed at the end', text: '[cluster]\n cluster lock = !/x -v', lock: LOCK },
  { what: 'CR and LF', text: '[cluster]\r\n cluster lock = !/x -v\r\n', lock: LOCK },
  { what: 'tabs', text: '[cluster]\n\tcluster lock\t=\t!/x -v\t\n', lock: LOCK },
  { what: 'no spaces about the =', text: '[cluster]\ncluster lock=!/x -v\n', lock: LOCK },
  { what: 'many spaces', text: '[cluster]\n   cluster   lock  =   !/x    -v   \n', lock: LOCK },
  { what: 'a tab within the name', text: '[cluster]\n cluster\tlock = !/x\n', lock: undefined },
  { what: 'a byte order mark', text: `\xef\xbb\xbf[cluster]\n${SET}`, lock: undefined },
  { what: 'a byte order mark before a comment', text: `\xef\xbb\xbf# c\n[cluster]\n${SET}`, lock: LOCK },
  { what: 'a no-break space before the =', text: '[cluster]\n cluster lock\xc2\xa0= !/x\n', lock: undefined },
  {
    what: 'a backslash at the end of a line',
    text: '[cluster]\n cluster lock = !/x \\\n   -v\n',
    lock: LOCK,
  },
  {
    what: 'a backslash and a space at the end of a line',
    text: '[cluster]\n cluster lock = !/x\\ \n -v\n',
    lock: LOCK,
  },
  {
    what: 'a comment after a continued line',
    text: '[cluster]\n cluster lock = !/x \\\n # c\n',
    lock: '!/x # c',
  },
  { what: 'a continued comment', text: `[cluster]\n # c \\\n${SET}`, lock: LOCK },
  { what: 'a backslash at the end of the file', text: '[cluster]\n cluster lock = /x\\', lock: '/x\\' },
  { what: 'a continued section', text: `[clu\\\nster]\n${SET}`, lock: LOCK },
  { what: 'a comment behind the value', text: '[cluster]\n cluster lock = !/x # c\n', lock: '!/x # c' },
  { what: 'comments of both kinds', text: `; a\n# b\n[cluster]\n;cluster lock = /z\n${SET}`, lock: LOCK },
  { what: 'another case of the section', text: `[CLUSTER]\n${SET}`, lock: LOCK },
  { what: 'another case of the option', text: '[cluster]\n Cluster Lock = !/x\n', lock: undefined },
  { what: 'an underscore in the option', text: '[cluster]\n cluster_lock = !/x\n', lock: undefined },
  { what: 'spaces in the section', text: `[ cluster ]\n${SET}`, lock: undefined },
  { what: 'text behind the section', text: `[cluster] # c\n${SET}`, lock: LOCK },
  { what: 'no section', text: SET, lock: undefined },
  { what: 'another section', text: `[legacy]\n${SET}`, lock: undefined },
  { what: 'a section that CTDB does not know', text: `[other]\n a = b\n[cluster]\n${SET}`, lock: LOCK },
  { what: 'an option that CTDB does not know', text: `[cluster]\n a = b\n${SET}`, lock: LOCK },
  { what: 'the section twice', text: `[cluster]\n${SET}[cluster]\n transport = tcp\n`, lock: LOCK },
  { what: 'the line twice', text: `[cluster]\n cluster lock = /y\n${SET}`, lock: LOCK },
  { what: 'a section without its end', text: `[cluster\n${SET}`, lock: undefined, dropped: true },
  { what: 'a line without a name', text: `[cluster]\n${SET} = y\n`, lock: undefined, dropped: true },
  { what: 'a line without an =', text: `[cluster]\n cluster lock !/y\n${SET}`, lock: LOCK },
  { what: 'an empty value', text: '[cluster]\n cluster lock =\n', lock: undefined, refused: true },
  {
    what: 'an empty value of another option',
    text: `[logging]\n location =\n[cluster]\n${SET}`,
    lock: undefined,
    refused: true,
  },
  {
    what: 'a transport that CTDB does not have',
    text: `[cluster]\n transport = udp\n${SET}`,
    lock: undefined,
    refused: true,
  },
  {
    what: 'a leader timeout of 0',
    text: `[cluster]\n leader timeout = 0\n${SET}`,
    lock: undefined,
    refused: true,
  },
  {
    what: 'a leader timeout in words',
    text: `[cluster]\n leader timeout = five\n${SET}`,
    lock: undefined,
    refused: true,
  },
  { what: 'a leader timeout with a unit', text: `[cluster]\n leader timeout = 7s\n${SET}`, lock: LOCK },
  { what: 'a leader timeout in hex', text: `[cluster]\n leader timeout = 0x10\n${SET}`, lock: LOCK },
  {
    what: 'yes and no in other words',
    text: `[legacy]\n realtime scheduling = maybe\n[cluster]\n${SET}`,
    lock: undefined,
    refused: true,
  },
  {
    what: 'a node address that is none',
    text: `[cluster]\n node address = banana\n${SET}`,
    lock: undefined,
    refused: true,
  },
  { what: 'the value in quotes', text: '[cluster]\n cluster lock = "!/x -v"\n', lock: '"!/x -v"' },
  { what: 'a space after the !', text: '[cluster]\n cluster lock = ! /x -v\n', lock: '! /x -v' },
  { what: 'a vertical tab in the value', text: '[cluster]\n cluster lock = !/x\v-v\n', lock: '!/x\v-v' },
  { what: 'a NUL in the value', text: '[cluster]\n cluster lock = !/x\0 -v\n', lock: '!/x' },
];
