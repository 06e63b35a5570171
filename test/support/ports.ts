import { createServer } from 'node:net';

// Below the range from which the kernel picks ports for outgoing connections (32768 and up), so that a port which is
// free now is not taken by somebody's connection before its server starts.
const LOWEST_PORT = 15_000;
const HIGHEST_PORT = 31_999;

const handedOut = new Set<number>();

/** Resolves to whether a server could listen on `port` of `address` right now. */
function isFree(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, address, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/**
 * A free TCP port on `address`, at random so that test files running at the same time do not meet; the same one is
 * never handed out twice by one process, so that a stopped server can come back to its own.
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < 1000; tries += 1) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT + 1));
    if (handedOut.has(port)) continue;
    if (await isFree(port, address)) {
      handedOut.add(port);
      return port;
    }
  }
  throw new Error(`Cannot find a free port on ${address} from ${LOWEST_PORT} to ${HIGHEST_PORT}`);
}
