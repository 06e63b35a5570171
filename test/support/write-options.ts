// Writes the tables in docs/configuration.md anew: node test/support/write-options.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { withTables } from './options-table.ts';

const DOCUMENT = new URL('../../docs/configuration.md', import.meta.url);
writeFileSync(DOCUMENT, withTables(readFileSync(DOCUMENT, 'utf8')));
