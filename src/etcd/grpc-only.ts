import { InterceptingCall, type Interceptor, status as STATUS } from '@grpc/grpc-js';

/** How a call ends whose answer is not of gRPC; the content type follows, in quotes. */
export const STRANGE_TYPE = 'Received content type ';

// As long as that an answer which is no gRPC may take to its end, where grpc-js tells its HTTP status.
const END_WITHIN_MS = 100;

/**
 * Ends a call whose answer is not of gRPC, as its content type says (grpc, `doc/PROTOCOL-HTTP2.md`). grpc-js does not look at it: it waits
 * for the end of a page that does not end, and takes the first letters of a page with HTTP status 200 for the length of a message.
 */
export const grpcOnly: Interceptor = (options, nextCall) => {
  let strangeType: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const details = (): string => `${STRANGE_TYPE}"${strangeType ?? ''}"`;
  const call = new InterceptingCall(nextCall(options), {
    start: (metadata, _listener, next) => {
      next(metadata, {
        onReceiveMetadata: (received, nextMetadata) => {
          const type = received.get('content-type').join();
          if (!type.startsWith('application/grpc')) {
            strangeType = (type.split(';', 1)[0] ?? '').slice(0, 100);
            timer = setTimeout(() => {
              call.cancelWithStatus(STATUS.UNIMPLEMENTED, details());
            }, END_WITHIN_MS);
          }
          nextMetadata(received);
        },
        onReceiveStatus: (status, nextStatus) => {
          clearTimeout(timer);
          const isTold = strangeType === undefined || status.details.includes('HTTP status code');
          nextStatus(isTold ? status : { ...status, code: STATUS.UNIMPLEMENTED, details: details() });
        },
      });
    },
  });
  return call;
};
