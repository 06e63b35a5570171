/**
 * The part of grpc-js that this client needs. Stands in for its entry in the packed program, which leaves out the server,
 * and the resolvers and load balancers that nothing asks for. It imports the files behind the entry, so grpc-js is pinned.
 */
import { ChannelCredentials } from '@grpc/grpc-js/build/src/channel-credentials.js';
import { setup as setUpPickFirst } from '@grpc/grpc-js/build/src/load-balancer-pick-first.js';

export { ChannelImplementation as Channel } from '@grpc/grpc-js/build/src/channel.js';
export { ConnectivityState as connectivityState } from '@grpc/grpc-js/build/src/connectivity-state.js';
export { Status as status } from '@grpc/grpc-js/build/src/constants.js';
export { loadPackageDefinition } from '@grpc/grpc-js/build/src/make-client.js';
export { Metadata } from '@grpc/grpc-js/build/src/metadata.js';
export { ChannelCredentials };

export const credentials = {
  createInsecure: ChannelCredentials.createInsecure.bind(ChannelCredentials),
  createSsl: ChannelCredentials.createSsl.bind(ChannelCredentials),
  createFromSecureContext: ChannelCredentials.createFromSecureContext.bind(ChannelCredentials),
};

setUpPickFirst();
