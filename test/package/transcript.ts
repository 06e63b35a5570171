import { readFileSync, writeFileSync } from 'node:fs';
import assert from 'node:assert/strict';

/** What differs from run to run, and what stands for it on the page. */
const VARIABLE: readonly (readonly [RegExp, string])[] = [
  [/\bpid \d+/g, 'pid 4711'],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z( +\([^)]*\))?/g, '2026-01-02T03:04:05.678Z (2 min 3 s ago)'],
  [/\b[0-9a-f]{15,16}\b/g, '4bbbec7f6b8560d4'],
  [/(?<=\bcompact )\d+/g, '1234'],
  [/(?<=(Revision +|revision ))\d+/g, '1234'],
  [/\b(?<=ID |expected_cluster_id = )\d+\b/g, '14841639068965178418'],
  [/(?<=round trip )[\d.]+ m?s/g, '1.4 ms'],
  [/(?<=a renewal takes )[\d.]+ m?s, the slowest [\d.]+ m?s/g, '3.1 ms, the slowest 4.6 ms'],
  [/[\d.]+ MiB/g, '0.1 MiB'],
  [/\d+ of 9 s left, renewed .*/g, '8 of 9 s left, renewed within the last second'],
  [/^(.*etcd(\d).*), (leader|follower), /gm, '$1, ROLE$2, '],
  [/ROLE1/g, 'leader'],
  [/ROLE\d/g, 'follower'],
  [/(?<=all follow etcd)\d/g, '1'],
  [/fs\d \(PNN \d\)/g, 'fs1 (PNN 1)'],
  [/(?<=leader is node )\d/g, '1'],
  [/^\d$/gm, '1'],
  // Which member is asked first of all.
  [/(?<=problem +(permission|lease) +etcd)\d/g, '1'],
];

/** `text` as it would look in another run. */
export function settled(text: string): string {
  return VARIABLE.reduce((before, [pattern, stand]) => before.replace(pattern, stand), text);
}

/** A page of docs/ that a story writes as it goes. */
export class Transcript {
  readonly #parts: string[] = [];

  text(paragraph: string): void {
    this.#parts.push(`${paragraph}\n`);
  }

  /** One block for several commands, each with what it wrote. */
  block(commands: readonly (readonly [command: string, output: string])[]): void {
    const lines = commands.map(([command, output]) => `# ${command}\n${output}`).join('');
    this.#parts.push(`\`\`\`\n${settled(lines).replace(/\n*$/, '\n')}\`\`\`\n`);
  }

  /** Compares a picture with the one in docs/, or writes it. */
  isPicture(name: string, picture: string): void {
    const url = new URL(`../../docs/${name}`, import.meta.url);
    if (process.env['UPDATE'] !== undefined) writeFileSync(url, picture);
    assert.equal(readFileSync(url, 'utf8'), picture, `docs/${name} is old: run with UPDATE=1`);
  }

  /** Compares with the page, or writes it when the variable UPDATE is set. */
  isPage(name: string): void {
    const url = new URL(`../../docs/${name}`, import.meta.url);
    const page = this.#parts.join('\n');
    if (process.env['UPDATE'] !== undefined) writeFileSync(url, page);
    // By lines, so that a difference is shown and not only counted.
    const [old, now] = [readFileSync(url, 'utf8'), page].map((text) => text.split('\n'));
    assert.deepEqual(now, old, `docs/${name} is old: run with UPDATE=1`);
  }
}
