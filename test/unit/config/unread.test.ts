import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { MEANINGLESS_KEYS, KEYS } from '../../../src/config/config-keys.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const SOURCE = join(ROOT, 'src');

/** The compiler's view of src, which knows for each name where it is used. */
function languageService(): ts.LanguageService {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(SOURCE, name));
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: unknown;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  return ts.createLanguageService({
    getScriptFileNames: () => files,
    getScriptVersion: () => '1',
    getScriptSnapshot: (path) => {
      const text = ts.sys.readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => ROOT,
    getCompilationSettings: () => options,
    getDefaultLibFileName: (of) => ts.getDefaultLibFilePath(of),
    fileExists: (path) => ts.sys.fileExists(path),
    readFile: (path) => ts.sys.readFile(path),
    directoryExists: (path) => ts.sys.directoryExists(path),
  });
}

const service = languageService();

/** The files of src that speak of the name at this place. */
function filesThatName(file: string, position: number): Set<string> {
  const references = service.findReferences(file, position)?.flatMap((found) => found.references) ?? [];
  return new Set(references.map(({ fileName }) => relative(SOURCE, fileName)));
}

function sourceOf(file: string): ts.SourceFile {
  const source = service.getProgram()?.getSourceFile(file);
  assert.ok(source, file);
  return source;
}

test('each key of the configuration file is read, unless it is said to have no effect', () => {
  const file = join(SOURCE, 'config/config-keys.ts');
  const positions = new Map<string, number>();
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.name.getText() === 'KEYS' && node.initializer !== undefined) {
      const literal = ts.isObjectLiteralExpression(node.initializer)
        ? node.initializer
        : node.initializer.getChildren().find(ts.isObjectLiteralExpression);
      for (const property of literal?.properties ?? [])
        if (property.name !== undefined) positions.set(property.name.getText(), property.name.getStart());
    }
    ts.forEachChild(node, visit);
  };
  visit(sourceOf(file));
  assert.deepEqual([...positions.keys()], Object.keys(KEYS));

  const meaningless = new Set<unknown>(MEANINGLESS_KEYS);
  const unread = Object.entries(KEYS).filter(([name, key]) => {
    const readers = filesThatName(file, positions.get(name) ?? 0);
    return readers.size < 2 && !meaningless.has(key);
  });
  assert.deepEqual(
    unread.map(([, key]) => key.name),
    [],
  );
});

test('each field of the configuration is used by more than its loader', () => {
  const file = join(SOURCE, 'config/config.ts');
  const fields: { readonly name: string; readonly position: number }[] = [];
  for (const statement of sourceOf(file).statements) {
    if (!ts.isInterfaceDeclaration(statement)) continue;
    for (const { name } of statement.members)
      if (name !== undefined)
        fields.push({ name: `${statement.name.text}.${name.getText()}`, position: name.getStart() });
  }
  assert.ok(fields.some(({ name }) => name === 'Config.refreshMs'));
  const makers = new Set(['config/config.ts', 'config/make-config.ts']);
  const unused = fields.filter(({ position }) =>
    [...filesThatName(file, position)].every((reader) => makers.has(reader)),
  );
  assert.deepEqual(
    unused.map(({ name }) => name),
    [],
  );
});
