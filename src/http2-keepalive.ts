import { BEAT_MS, type Clock, type Disposer, nextBeat } from './base/clock.ts';
import type { Http2Session } from './http2-session.ts';

export interface KeepaliveOptions {
  /** A connection that has been silent for this long is pinged. */
  readonly timeMs: number;
  /** How long it may be silent after that. */
  readonly timeoutMs: number;
  /** Whether it is pinged while nobody waits for anything on it. */
  readonly isForIdle: boolean;
}

// Nobody notes when something came, only whether it did between two looks: a silence is found to be as long as it must be
// within half as much again.
const LOOKS = 2;

// After a freeze of ours the timer is looked at before the socket. What has come meanwhile is read within this.
const SECOND_LOOK_MS = 100;

/**
 * Finds out when nobody is left on the other side (gRPC's proposal A8). Anything that arrives is a sign of life, so pings
 * are only sent where nothing else is.
 *
 * @param onDead called when a ping has got no answer; the connection is to be given up
 * @returns ends it
 */
export function keepAlive(
  session: Http2Session,
  clock: Clock,
  { timeMs, timeoutMs, isForIdle }: KeepaliveOptions,
  onDead: () => void,
): Disposer {
  let stop: Disposer = () => undefined;
  let readBytes = -1;
  const lookEveryMs = timeMs / LOOKS;
  const wait = (ms: number, then: () => void): void => {
    stop = clock.at(clock.now() + ms, then);
  };
  const waitForLook = (): void => {
    // On a beat, on which a holder is awake anyway.
    stop = clock.at(nextBeat(clock.now() + lookEveryMs - 1, BEAT_MS), look);
  };
  /** True once for each time that something has come. */
  const hasHeard = (): boolean => {
    const before = readBytes;
    readBytes = session.readBytes;
    return readBytes !== before;
  };
  let silentLooks = 0;
  const begin = (): void => {
    silentLooks = 0;
    waitForLook();
  };
  const look = (): void => {
    const isQuiet = !hasHeard() && (session.hasStreams || isForIdle);
    silentLooks = isQuiet ? silentLooks + 1 : 0;
    if (silentLooks < LOOKS) {
      waitForLook();
      return;
    }
    session.ping();
    wait(timeoutMs, () => {
      if (hasHeard()) begin();
      else
        wait(SECOND_LOOK_MS, () => {
          if (hasHeard()) begin();
          else onDead();
        });
    });
  };
  hasHeard();
  begin();
  return () => {
    stop();
  };
}
