import { type Clock, type Disposer, nextBeat } from '../../src/base/clock.ts';

/** `Clock.every` for a clock that knows only how to be asked once. */
export function everyBeat(
  clock: Pick<Clock, 'now' | 'at'>,
  everyMs: number,
  fire: (nowMs: number) => void,
): Disposer {
  let isStopped = false;
  let stop: Disposer = () => undefined;
  const arm = (nowMs: number): void => {
    if (!isStopped) stop = clock.at(nextBeat(nowMs, everyMs), beat);
  };
  const beat = (nowMs: number): void => {
    fire(nowMs);
    arm(nowMs);
  };
  arm(clock.now());
  return () => {
    isStopped = true;
    stop();
  };
}
