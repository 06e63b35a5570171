import { PROPERTIES } from './checker.ts';

/** The properties as docs/safety.md shows them. */
export function propertiesTable(): string {
  const rows = Object.entries(PROPERTIES).map(([name, meaning]) => `| ${name} | ${meaning} |`);
  return ['| it would be violated like this | it says |', '| --- | --- |', ...rows, ''].join('\n');
}
