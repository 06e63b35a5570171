/**
 * The runtime's options, baked into the binary. V8's own among them are part of the label of each code cache, so the
 * training run and the runtime's modules have to agree with them (train.ts, builtin-cache.ts).
 */
export const RUNTIME_FLAGS: readonly string[] = [
  // Warnings of the runtime are for programmers, and it prints them where CTDB's log is, by a stream that we do not have.
  '--no-warnings',
  // Without a JIT nothing needs writable memory to become executable, which SELinux (ctdbd_t on RHEL and Fedora) and
  // systemd's MemoryDenyWriteExecute= forbid; V8 aborts there otherwise.
  '--jitless',
  // SIGUSR1 would open a debugger port, and a thread would wait for it.
  '--disable-sigusr1',
  // V8's helper threads: as few as there can be. 0 does not mean none, but as many as the machine has processors for.
  '--v8-pool-size=1',
  // The heap is too small for a collection to be worth waking them.
  '--single-threaded-gc',
  // The young generation. With 2 MB a start is no faster (31 in turns), and a holder has 1.6 MB more after a minute.
  '--max-semi-space-size=1',
  '--min-semi-space-size=1',
  // Ten seconds after a start V8 would look twice for what could be given back: a fifth of the processor time of a minute of
  // holding, for 0.7 MB. A full collection comes when the old part of the heap, 5 MB, has grown to this many megabytes.
  '--no-memory-reducer',
  '--initial-old-space-size=12',
  // All times that we write are in UTC; the first of them would have ICU look for the zone of the machine.
  '--no-icu-timezone-data',
  // Otherwise each start chooses new keys for the hashes of strings, and sorts all names of the snapshot anew by them: a
  // sixth of the start of a bare runtime. The keys protect programs that make tables of what strangers send; of that we
  // make none but from one JSON text of 256 KiB at most (v2-lock.ts), from a member that we trust with the lock.
  '--no-rehash-snapshot',
  // Otherwise Node.js parses its 140 built-in CA certificates in a thread as soon as TLS is loaded, used or not: a fifth of
  // the processor time of a start, and several megabytes. Without a configured CA, those of the system count.
  '--use-openssl-ca',
  // With NODE_USE_SYSTEM_CA=1 in CTDB's environment the runtime would refuse the option above and end without an answer.
  '--no-use-system-ca',
];
