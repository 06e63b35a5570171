import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { messagesOf } from '../support/messages.ts';

const GUIDE = readFileSync(new URL('../../docs/failure-guide.md', import.meta.url), 'utf8');

// Words that key definitions show are documented in configuration.md, by a test of its own.
const KEY_MODULES = new Set(['config-keys', 'checkers', 'grpc-options', 'key']);

/** Modules whose lines come with their remedy on the spot, for the person who called a command. */
function isOfCommands(module: string): boolean {
  return /^(check|command)/.test(module) || module === 'etcd-releases';
}

/** Texts of the source that nobody reads in a log. */
const NOT_PRINTED: readonly RegExp[] = [
  /^Usage: /,
  /^ctdb_etcd_lock … \(commit/,
  /^Warning: …$/,
  /\$\{|\$SCRIPT|\$limit/, // the companion's script
  /\r\n/, // a request of HTTP
  /^wait is over$/,
  /^netbios name$/,
  /^an answer$/,
  // Compared with what etcd says.
  /^(requested lease not found|no leader|leader changed|not leader|not a primary lessor|proposal dropped)$/,
  /^(request timed out|context deadline exceeded|too many requests|not capable|server stopped)$/,
  /^(unhealthy cluster|not supported for learner|database space exceeded|corrupt cluster)$/,
  /^(too large lease TTL|invalid auth token|revision of auth store is old|authentication failed)$/,
  /^(user name is empty|permission denied)$/,
];

/** The relations between times are a fault of the program when they do not hold. */
const messages = messagesOf(
  (module) => !isOfCommands(module) && !KEY_MODULES.has(module) && module !== 'timing',
).filter(({ text }) => !NOT_PRINTED.some((pattern) => pattern.test(text)));

function asPattern(text: string): RegExp {
  const literal = text.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(literal.replace(/…+/g, '.*'));
}

const spans = [...GUIDE.matchAll(/`([^`]+)`/g)].flatMap(([, span]) => span ?? []);
const rows = [...GUIDE.matchAll(/^\| `([a-z0-9-]+)` \| (.*?) \|/gm)];

test('every text that the helper can print stands in the failure guide', () => {
  assert.ok(messages.length > 100, 'the source was read');
  const missing = messages.filter(({ text }) => {
    const pattern = asPattern(text);
    return !spans.some((span) => pattern.test(span));
  });
  assert.deepEqual(
    missing.map(({ module, text }) => `${module}: ${text}`),
    [],
  );
});

test('every line of the failure guide can be printed', () => {
  const patterns = messages.map(({ text }) => ({
    pattern: asPattern(text),
    letters: text.replace(/[^a-z]/gi, '').length,
  }));
  const stale = rows
    .flatMap(([, id = '', cell = '']) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, span = '']) => ({ id, span })),
    )
    .filter(({ span }) => {
      const letters = span.replace(/[^a-z]/gi, '').length;
      return !patterns.some((one) => one.pattern.test(span) && one.letters >= letters / 3);
    });
  assert.deepEqual(stale, []);
});

test('every line has an identifier of its own', () => {
  const ids = rows.map(([, id]) => id);
  assert.ok(ids.length > 60);
  assert.equal(new Set(ids).size, ids.length);
});
