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
  // Otherwise Node.js parses its 140 built-in CA certificates in a thread as soon as TLS is loaded, used or not: a fifth of
  // the processor time of a start, and several megabytes. Without a configured CA, those of the system count.
  '--use-openssl-ca',
];
