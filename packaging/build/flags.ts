/**
 * The runtime's options, baked into the binary. V8's own among them are part of the label of each code cache, so the
 * training run and the runtime's modules have to agree with them (train.ts, builtin-cache.ts).
 */
export const RUNTIME_FLAGS: readonly string[] = [
  // Without a JIT nothing needs writable memory to become executable, which SELinux (ctdbd_t on RHEL and Fedora) and
  // systemd's MemoryDenyWriteExecute= forbid; V8 aborts there otherwise.
  '--jitless',
  // SIGUSR1 would open a debugger port, and a thread would wait for it.
  '--disable-sigusr1',
  // V8's helper threads: as few as there can be. 0 does not mean none, but as many as the machine has processors for.
  '--v8-pool-size=1',
  // The heap grows in small steps: after ten minutes of renewals at ten times the usual rate a third less memory.
  '--optimize-for-size',
  // Room for what a start allocates, so that no garbage collection falls into it.
  '--min-semi-space-size=4',
  // Otherwise each start chooses new keys for the hashes of strings, and sorts all names of the snapshot anew by them: a
  // sixth of the start of a bare runtime. The keys protect programs that make tables of what strangers send; of that we
  // make none but from one JSON text of 256 KiB at most (v2-lock.ts), from a member that we trust with the lock.
  '--no-rehash-snapshot',
  // Otherwise Node.js parses its 140 built-in CA certificates in a thread as soon as TLS is loaded, used or not: a fifth of
  // the processor time of a start, and several megabytes. Without a configured CA, those of the system count.
  '--use-openssl-ca',
];
