/** What must hold in every schedule, each named after how it is violated; docs/safety-tests.md has the same list. */
export const PROPERTIES = {
  'two claims overlap': 'nobody is granted the lock while a helper claims it, frozen or not',
  'a claim outlives its key':
    'a helper that claims has its key in etcd, unless an administrator, a restore or etcd #15247 removed it',
  'a loss is seen too late':
    'a helper whose key was removed sees it by the watch, else with the next renewal, and ends by the deadline',
  'a passed deadline moves': 'a deadline that has passed stays where it was',
  'a deadline is later than its lease allows':
    'a deadline counts from the first send of the grant, or the send of the log transaction, less the margin',
  'a lock is claimed after its deadline': 'no helper writes 0 after it saw the deadline pass',
  'more than one byte': 'one byte at most',
  'no byte': 'one byte, unless CTDB does not wait any more',
  'the answer is late':
    'it comes within 4 s, without the time for which the process was frozen; 0.5 s later when the machine was paused',
  'the exit is late': 'within 2 s of SIGTERM, and 3 s of the death of the parent',
  'a contender goes on after SIGTERM': 'no grant and no transaction is sent after SIGTERM',
  'who lets go does not say so': 'a helper that exits by itself has revoked every lease that it asked for',
  'something is left behind': 'when a helper has exited and etcd answered, nothing of it is in etcd',
  'nobody gets the lock': 'once all faults have ended, a helper holds the lock within a bound',
  'the lock is lost without need':
    'no deadline passes while a majority with a leader serves the holder for as long as a renewal takes',
  'a renewal that proved nothing is not repeated at once': 'the next one is sent within 250 ms',
  'a loss is reported that was none': 'a helper that reports its key gone has none, or etcd was restored',
  'a take is slow': 'a free lock is taken within 1 s, and a hedge delay for each silent member',
  'contention is reported that was none': 'a helper that answers 1 met another key',
  'contention is reported late': 'a helper that meets a holder that renews answers within 1.6 s',
  'a dead neighbor keeps the lock':
    'a dead helper is replaced at once on its own host, where /proc is its own',
  'an error is reported without need': 'no 3 while etcd serves',
  'a living process loses its lease to a contender': 'only the dead are replaced',
  'the watchdog kills a process that runs': 'the watchdog kills only a process that was frozen',
  'a fault of the program': 'no unexpected exception',
} as const;
export type Property = keyof typeof PROPERTIES;

export interface Violation {
  readonly property: Property;
  readonly atMs: number;
  readonly text: string;
}

/** The properties as docs/safety-tests.md shows them. */
export function propertiesTable(): string {
  const rows = Object.entries(PROPERTIES).map(([name, meaning]) => `| ${name} | ${meaning} |`);
  return ['| violation | what must hold |', '| --- | --- |', ...rows, ''].join('\n');
}
