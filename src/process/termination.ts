// CTDB sends SIGTERM to a helper whose stdout has ended. When another process asks the helper to end, it closes stdout
// first, so that SIGTERM follows. This second request must not end the release early, because the lock would then stay
// taken until the lease ends.
const SAME_REQUEST_MS = 500;

/**
 * Handles the signals of the helper.
 *
 * @param endNow called for a second request to end that comes more than 500 ms after the first
 * @returns aborted by the first request to end, SIGTERM or SIGINT
 */
export function terminationSignal(self: NodeJS.Process, endNow: () => void): AbortSignal {
  const terminated = new AbortController();
  let requestedAtMs = 0;
  const onRequest = (): void => {
    if (!terminated.signal.aborted) {
      requestedAtMs = performance.now();
      terminated.abort('over');
    } else if (performance.now() - requestedAtMs > SAME_REQUEST_MS) {
      endNow();
    }
  };
  self.on('SIGTERM', onRequest);
  self.on('SIGINT', onRequest);
  // CTDB ignores SIGPIPE, and its children inherit that. A terminal that closes (SIGHUP) is no reason to release a lock
  // either.
  self.on('SIGPIPE', () => undefined);
  self.on('SIGHUP', () => undefined);
  return terminated.signal;
}
