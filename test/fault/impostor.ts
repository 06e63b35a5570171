// Stands in for a member, on its address and port: `impostor.ts silent|errors ADDRESS PORT`; prints `ready`.
// silent: accepts TCP connections and never says a word of HTTP/2. errors: answers every call with a gRPC error.
import { createServer as createHttp2Server } from 'node:http2';
import { createServer } from 'node:net';

// What a member says that is cut off, overloaded or broken.
const ERRORS = [
  { status: '14', message: 'etcdserver: no leader' },
  { status: '14', message: 'etcdserver: request timed out' },
  { status: '8', message: 'etcdserver: too many requests' },
  { status: '13', message: 'stream terminated by RST_STREAM with error code: INTERNAL_ERROR' },
  { status: '2', message: 'etcdserver: not healthy for reconfigure' },
] as const;

const [mode, address, port] = process.argv.slice(2);
const ready = (): void => {
  process.stdout.write('ready\n');
};

if (mode === 'silent') {
  createServer((socket) => {
    socket.on('error', () => undefined).resume();
  }).listen(Number(port), address, ready);
} else {
  let calls = 0;
  const server = createHttp2Server();
  server.on('stream', (stream) => {
    const error = ERRORS[calls % ERRORS.length] ?? ERRORS[0];
    calls += 1;
    stream.on('error', () => undefined).resume();
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': error.status,
        'grpc-message': encodeURI(error.message),
      },
      { endStream: true },
    );
  });
  server.on('session', (session) => {
    session.on('error', () => undefined);
  });
  server.listen(Number(port), address, ready);
}
