import type { Contender } from './contender.ts';
import { runningProcess } from './sim-process.ts';

const contenders = new WeakMap<object, Contender>();

export function introduce(contender: Contender): void {
  contenders.set(contender.process, contender);
}

/** The contender whose code runs at this moment. */
export function runningContender(): Contender {
  const contender = contenders.get(runningProcess());
  if (contender === undefined) throw new Error('The running process is no contender');
  return contender;
}
