// Prints the arrows between the modules of src, to be pasted into docs/architecture.md once they have been decided.
import { readdirSync, readFileSync } from 'node:fs';
const src = new URL('../../src/', import.meta.url);
const common = new Set(['clock', 'errors', 'log']);
for (const file of readdirSync(src).sort()) {
  const text = readFileSync(new URL(file, src), 'utf8');
  const targets = [...text.matchAll(/\b(?:from |import\()'\.\/([\w-]+)\.ts'/g)]
    .map((m) => m[1])
    .filter((t) => !common.has(t));
  if (targets.length > 0)
    console.log(`${file.replace('.ts', '')} -> ${[...new Set(targets)].sort().join(' ')}`);
}
