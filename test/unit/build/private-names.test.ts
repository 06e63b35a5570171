import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import ts from 'typescript';
import { withoutPrivateNames } from '../../../packaging/build/private-names.ts';

/** What the last expression of a program is. */
function valueOf(source: string): unknown {
  const options = { target: ts.ScriptTarget.ES2024, useDefineForClassFields: false };
  const program = ts.transpileModule(`(() => {${source}})()`, { compilerOptions: options });
  return runInNewContext(program.outputText);
}

const PROGRAM = `
  class Base {
    #count = 1;
    static #made = 0;
    get #twice(): number { return 2 * this.#count; }
    #add(by: number): void { this.#count += by; }
    constructor() { Base.#made += 1; this.#add(4); }
    report(): string { return \`#count \${this.#count} \${this.#twice} \${Base.#made}\`; }
  }
  class Derived extends Base {
    #count = 100;
    both(): string { return '#count ' + this.#count + ' ' + this.report(); }
  }
  return new Derived().both();
`;

test('a program means the same without private names, texts and heirs included', () => {
  const without = withoutPrivateNames('program.ts', PROGRAM);
  assert.doesNotMatch(without, /\.#|#\w+ =|#\w+\(/);
  assert.equal(without.split('\n').length, PROGRAM.split('\n').length);
  assert.equal(valueOf(PROGRAM), '#count 100 #count 5 10 1');
  assert.equal(valueOf(without), valueOf(PROGRAM));
});

test('no private name of ours is left, and nothing else changes', () => {
  const src = new URL('../../../src/', import.meta.url);
  for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const source = readFileSync(new URL(file, src), 'utf8');
    const without = withoutPrivateNames(file, source);
    assert.equal(without.replaceAll(/_private_[A-Za-z0-9]+_(?=[a-z])/g, '#'), source, file);
    assert.doesNotMatch(without, /\.#[a-z]/, file);
  }
});
