/**
 * grpc-js's own diagnostics, switched off (`grpc.enable_channelz` is 0 in etcd-connection.ts): the parts that do nothing,
 * without the ordered maps and address conversions of the parts that do. Stands in for `channelz.js` in the packed program.
 */

interface Ref {
  readonly kind: string;
  readonly id: number;
  readonly name: string;
}

class Trace {
  addTrace(): void {
    // Nobody asks for it.
  }
}

class ChildrenTracker {
  refChild(): void {
    // Nobody asks for it.
  }

  unrefChild(): void {
    // Nobody asks for it.
  }

  getChildLists(): { channels: never[]; subchannels: never[]; sockets: never[] } {
    return { channels: [], subchannels: [], sockets: [] };
  }
}

class CallTracker {
  readonly callsStarted = 0;
  readonly callsSucceeded = 0;
  readonly callsFailed = 0;
  readonly lastCallStartedTimestamp = null;

  addCallStarted(): void {
    // Nobody asks for it.
  }

  addCallSucceeded(): void {
    // Nobody asks for it.
  }

  addCallFailed(): void {
    // Nobody asks for it.
  }
}

function makeRegister(kind: string): (name: string) => Ref {
  let lastId = 0;
  return (name) => {
    lastId += 1;
    return { kind, id: lastId, name };
  };
}

export { Trace as ChannelzTrace, Trace as ChannelzTraceStub };
export { ChildrenTracker as ChannelzChildrenTracker, ChildrenTracker as ChannelzChildrenTrackerStub };
export { CallTracker as ChannelzCallTracker, CallTracker as ChannelzCallTrackerStub };
export const registerChannelzChannel = makeRegister('channel');
export const registerChannelzSubchannel = makeRegister('subchannel');
export const registerChannelzSocket = makeRegister('socket');
export function unregisterChannelzRef(): void {
  // Nothing was kept.
}
