import { InterceptingCall, type Interceptor, status as STATUS } from '@grpc/grpc-js';

/** The text with which a call ends whose answer is not gRPC. The content type follows, in quotes. */
export const STRANGE_TYPE = 'Received content type ';

// How long an answer that is not gRPC may take to end. At its end, grpc-js reports its HTTP status, which tells more
// than the content type.
const END_WITHIN_MS = 100;

/**
 * Ends a call whose content type shows that the answer is not gRPC (grpc, `doc/PROTOCOL-HTTP2.md`). grpc-js ignores the
 * content type: it waits for the end of an endless page, and reads the first letters of a page with HTTP status 200 as
 * the length of a message.
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
