// Writes docs/messages.md anew.
import { writeFileSync } from 'node:fs';
import { catalogue } from './catalogue.ts';

writeFileSync(new URL('../../docs/messages.md', import.meta.url), catalogue());
