import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const SRC = new URL('../../src/', import.meta.url);

test('only main.ts, helper.ts and the modules they hand them to name process, timers and the network', () => {
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(new URL(file, SRC), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    if (file !== 'main.ts' && file !== 'helper.ts')
      assert.doesNotMatch(text, /(?<![.\w])process\.(?!pid\b)\w+/, `${file} reads process`);
    if (file !== 'process/alarms.ts' && !/^(connect|etcd)\/|^http2-/.test(file)) {
      assert.doesNotMatch(text, /\bset(Timeout|Interval|Immediate)\(/, `${file} names a timer`);
    }
    if (!/^(connect|etcd)\//.test(file) && file !== 'main.ts') {
      assert.doesNotMatch(text, /from '(etcd3|@grpc)/, `${file} imports a transport library`);
    }
  }
});
