import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';

const SRC = new URL('../../src/', import.meta.url);

/** One text of the source that reads like a message; what is filled in is shown as `…`. */
export interface Message {
  readonly text: string;
  /** The module it stands in, without `.ts`. */
  readonly module: string;
}

/** A literal as it stands, its parts joined; undefined for what is none. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map((span) => `…${span.literal.text}`).join('');
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [textOf(node.left), textOf(node.right)];
    return left === undefined || right === undefined ? undefined : left + right;
  }
  return undefined;
}

/** Two words or more, at least one of them of three letters. */
export function readsLikeMessage(text: string): boolean {
  return /[^\s…]\s+\S/.test(text) && /[a-z]{3}/.test(text);
}

/** Faults of the program and texts that are compared, not printed. */
function isInternal(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isNewExpression(parent)) {
    // A plain Error is a mistake in the program; the log calls it an internal error.
    return (
      parent.expression.getText() === 'Error' && ts.findAncestor(parent, ts.isThrowStatement) !== undefined
    );
  }
  if (ts.isBinaryExpression(parent)) return parent.operatorToken.getText().includes('==');
  if (ts.isCallExpression(parent))
    return /\.(includes|startsWith|run|resolve)$/.test(parent.expression.getText());
  return (
    ts.isLiteralTypeNode(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isImportDeclaration(parent) ||
    ts.isCaseClause(parent)
  );
}

/** Every text that reads like a message, in the order of the modules that are wanted; each once. */
export function messagesOf(wanted: (module: string) => boolean): Message[] {
  const found = new Map<string, Message>();
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' }).sort()) {
    const module = file.replace(/\.ts$/, '');
    if (!file.endsWith('.ts') || !wanted(module)) continue;
    const code = readFileSync(new URL(file, SRC), 'utf8');
    const source = ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      const text = textOf(node);
      if (text === undefined) {
        ts.forEachChild(node, visit);
        return;
      }
      if (!isInternal(node) && readsLikeMessage(text) && !found.has(text)) found.set(text, { text, module });
      // What is filled in can be a text of its own: a condition with a clause in each branch.
      if (ts.isTemplateExpression(node)) for (const span of node.templateSpans) visit(span.expression);
    };
    visit(source);
  }
  return [...found.values()];
}
