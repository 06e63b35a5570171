/** What must hold in every schedule, each named after how it is violated; docs/safety.md has the same list. */
export const PROPERTIES = {
  'two claims overlap': 'nobody is granted the lock while somebody claims it, frozen or not',
  'a claim outlives its key':
    'whoever claims the lock has its key in etcd, unless an administrator or etcd #15247 took it',
  'a loss is seen too late':
    'who was robbed like that sees it by the watch, at once in a calm network, with the next renewal otherwise, and ends by the deadline',
  'a passed deadline moves': 'a deadline that has passed stays where it was',
  'a deadline is later than its lease allows':
    'a deadline counts from the first send of the grant, or from the send of the keepalive, and keeps the margin',
  'a lock is claimed after its deadline': 'nobody writes 0 who has seen that the deadline has passed',
  'more than one byte': 'one byte at most',
  'no byte': 'and one at least, unless nobody waits for it any more',
  'the answer is late':
    'it comes within 4 s, not counting the time for which the process was frozen, and half a second later where timers stood still with the machine',
  'the exit is late': 'within 2 s of SIGTERM, and within 3 s of the death of the parent',
  'who is not wanted any more goes on': 'after SIGTERM no grant and no transaction is sent',
  'who lets go does not say so': 'who exits by itself has revoked every lease that it asked for',
  'something is left behind':
    'what a helper put into etcd is gone when it has exited and etcd answered, and a grant that is on its way is waited for',
  'nobody gets the lock': 'once all faults have ended, somebody holds it within a bound',
  'the lock is lost without need':
    'no deadline passes if a majority of members, with a leader, served the holder for as long as a renewal takes',
  'a renewal that proved nothing is not repeated at once': 'the next one is sent within 250 ms',
  'a loss is reported that was none': 'who says that its key is gone has none',
  'a take is slow': 'who finds the lock free holds it within 1 s and one hedge delay for each silent member',
  'contention is reported that was none': 'who answers 1 met the key of another',
  'contention is reported late': 'who meets a holder that renews answers within 1.6 s',
  'a dead neighbor keeps the lock': 'a helper that is dead is replaced at once on its own host',
  'an error is reported without need': 'no 3 while etcd serves',
  'a living process loses its lease to a contender': 'only the dead are replaced',
  'the watchdog kills a process that runs': 'the watchdog kills only a process that was frozen',
  'a fault of the program': 'no exception that nobody expected',
} as const;
export type Property = keyof typeof PROPERTIES;

export interface Violation {
  readonly property: Property;
  readonly atMs: number;
  readonly text: string;
}

/** The properties as docs/safety.md shows them. */
export function propertiesTable(): string {
  const rows = Object.entries(PROPERTIES).map(([name, meaning]) => `| ${name} | ${meaning} |`);
  return ['| it would be violated like this | it says |', '| --- | --- |', ...rows, ''].join('\n');
}
