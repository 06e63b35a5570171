/**
 * The runtime's options, baked into the binary. The code cache is bound to them: it is trained under the same ones, and
 * V8 rejects it under others.
 */
export const RUNTIME_FLAGS: readonly string[] = [
  // Without a JIT nothing needs writable memory to become executable, which SELinux (ctdbd_t on RHEL and Fedora) and
  // systemd's MemoryDenyWriteExecute= forbid; V8 aborts there otherwise.
  '--jitless',
  // SIGUSR1 would open a debugger port, and a thread would wait for it.
  '--disable-sigusr1',
  // Three threads fewer; the main thread does their work.
  '--v8-pool-size=0',
];
