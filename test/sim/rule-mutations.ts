import { type PlannedMutation, TWO_HOLDERS } from './planned-mutation.ts';
import type { Edit } from './hooks.ts';

const RENEWAL = 'src/lock/renewal.ts';

const ASK_P: Pick<Edit, 'file' | 'find'> = {
  file: RENEWAL,
  find: `  const confirmed = await member.confirmKey(held.key, held.createRevision, call);
  const { found } = confirmed;`,
};

const ASK_K: Pick<Edit, 'file' | 'find'> = {
  file: RENEWAL,
  find: `  const renewed = await member.keepAlive(held.leaseId, call);
`,
};

const COUNT_ANSWERED_TTL: Edit = {
  file: 'src/lock/deadline.ts',
  find: `Math.min(ttlMs, answeredTtlMs)`,
  replace: `answeredTtlMs`,
};

/** Keepalive first, then a linearizable read, believed when both headers show one raft term. */
const EQUAL_TERMS: readonly Edit[] = [
  { ...ASK_K, replace: `` },
  {
    file: RENEWAL,
    find: `renewed.connection !== confirmed.connection`,
    replace: `renewed.header.raftTerm !== confirmed.header.raftTerm`,
  },
];
const READ_AFTER_KEEPALIVE: Edit = {
  ...ASK_P,
  replace: `  const renewed = await member.keepAlive(held.leaseId, call);
  const confirmed = await member.readKey(held.key, call);
  const found = confirmed.oldest;`,
};

/** Mistakes in what counts as a renewal, among them the rules that were in use or thought of before. */
export const RULE_MUTATIONS: readonly PlannedMutation[] = [
  {
    name: 'the rule of 9adcbdd: keepalive, then a read, equal raft terms, the TTL as answered',
    ...READ_AFTER_KEEPALIVE,
    also: [...EQUAL_TERMS, COUNT_ANSWERED_TTL],
    within: 20_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'that rule with the smaller TTL: headers show an old term after a raft snapshot',
    ...READ_AFTER_KEEPALIVE,
    also: EQUAL_TERMS,
    within: 50_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'the TTL counts as it was answered',
    ...COUNT_ANSWERED_TTL,
    within: 20_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'a linearizable read in place of the transaction',
    ...ASK_P,
    replace: `  const confirmed = await member.readKey(held.key, call);
  const found = confirmed.oldest;`,
    within: 100_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'the keepalive before the transaction',
    ...ASK_P,
    replace: `  const renewed = await member.keepAlive(held.leaseId, call);
  const confirmed = await member.confirmKey(held.key, held.createRevision, call);
  const { found } = confirmed;`,
    also: [{ ...ASK_K, replace: `` }],
    within: 20_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'the member that answers the keepalive is not compared',
    file: RENEWAL,
    find: `renewed.header.memberId !== confirmed.header.memberId ||`,
    replace: ``,
    also: [
      {
        file: 'src/cluster/cluster-guard.ts',
        find: `if (lastAnswer?.connection === connection && lastAnswer.memberId !== memberId)`,
        replace: `if (memberId === '')`,
      },
    ],
    within: 200_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'neither the connection of the keepalive nor what its member has shown before is compared',
    file: RENEWAL,
    find: `renewed.connection !== confirmed.connection`,
    replace: `renewed.connection < 0`,
    also: [
      {
        file: 'src/cluster/cluster-guard.ts',
        find: `progress !== undefined && header.revision < progress.revision;`,
        replace: `progress !== undefined && header.revision < 0n;`,
      },
      {
        file: 'src/cluster/cluster-guard.ts',
        find: `progress !== undefined && header.raftTerm < progress.raftTerm;`,
        replace: `progress !== undefined && header.raftTerm < 0n;`,
      },
    ],
    within: 200_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'a late answer on a keepalive stream that was kept is taken for that to the next request',
    file: 'test/sim/sim-member.ts',
    find: `    let isOpen = true;
    const close`,
    replace: `    let isOpen = true;
    if (what === 'keepAlive')
      connection.takeNext = (answer) => {
        if (!isOpen) return;
        close();
        resolve({ ...answer, connection: connection.id });
      };
    const close`,
    also: [
      {
        file: 'test/sim/sim-member.ts',
        find: `if (signal.reason === 'timeout' || signal.reason === 'outrun')`,
        replace: `if (what !== 'keepAlive' && (signal.reason === 'timeout' || signal.reason === 'outrun'))`,
      },
      {
        file: 'test/sim/sim-member.ts',
        find: `const back = (isChange: boolean, happen: () => void): void => {`,
        replace: `const back = (isChange, happen, late) => {`,
      },
      {
        file: 'test/sim/sim-member.ts',
        find: `          if (!isOpen) return;
          if (!connection.stands) {`,
        replace: `          if (!isOpen) {
            late?.();
            return;
          }
          if (!connection.stands) {`,
      },
      {
        file: 'test/sim/sim-member.ts',
        find: `                    resolve({ ...answer, connection: connection.id });
                  });`,
        replace: `                    resolve({ ...answer, connection: connection.id });
                  }, what === 'keepAlive' ? () => connection.takeNext?.(answer) : undefined);`,
      },
    ],
    within: 50_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'a grpc-proxy that answers with an older keepalive is believed',
    file: 'src/lock/one-store.ts',
    find: `if (isMadeUp || (renewed !== undefined && renewed.ttlMs < 0)) throw`,
    replace: `if (isMadeUp && (renewed?.ttlMs ?? 0) > 0) throw`,
    within: 200_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'the endpoints are not compared: each is a store of its own',
    file: 'src/lock/entry-check.ts',
    find: `others.map(confirm)`,
    replace: `[].map(confirm)`,
    also: [
      {
        file: 'src/lock/entry-check.ts',
        find: `if (!isConfirmed && silent.length > 0) {`,
        replace: `if (list === null) {`,
      },
      {
        file: 'src/lock/store-watch.ts',
        find: `  look(): void {
    if (`,
        replace: `  look(): void {
    if (this.#held !== undefined || `,
      },
    ],
    within: 5_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'a linearizable read in place of the transaction while that is less than 6 s old',
    ...ASK_P,
    replace: `  const isRecent = sentAtMs - (clock.lastLogMs ?? -Infinity) < 6_000;
  const confirmed = isRecent
    ? await member.readKey(held.key, call)
    : await member.confirmKey(held.key, held.createRevision, call);
  if (!isRecent) clock.lastLogMs = sentAtMs;
  const found = isRecent ? confirmed.oldest : confirmed.found;`,
    within: 200_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'the ID of a lease is used again after a revoke was sent for it',
    file: 'test/sim/contender.ts',
    find: `const leaseId = String(world.random.integer(1, Number.MAX_SAFE_INTEGER)) as LeaseId;`,
    replace: `const drawn = String(world.random.integer(1, Number.MAX_SAFE_INTEGER));
        // Each helper of a node that is to hold the lock takes the same.
        const leaseId = this.name.includes('take') ? String(4711 + this.name.charCodeAt(4)) : drawn;`,
    within: 50_000,
    only: TWO_HOLDERS,
  },
];
