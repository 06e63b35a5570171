/** The software bill of materials: SPDX 2.3 in JSON. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Component } from './components.ts';
import { runtimeParts } from './licences.ts';
import { NAME, VERSION, type Provenance } from './project.ts';

const idOf = (name: string): string =>
  `SPDXRef-${name.replaceAll(/[^A-Za-z0-9.-]+/g, '-').replace(/^-|-$/g, '')}`;

export interface SbomInputs {
  readonly components: readonly Component[];
  readonly runtime: Component;
  readonly binary: string;
  /** For instance `x86_64`. */
  readonly architecture: string;
  readonly provenance: Provenance;
}

function packageOf(component: Component): Readonly<Record<string, unknown>> {
  const { name, version, licence, homepage, purl } = component;
  return {
    SPDXID: idOf(name),
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    homepage,
    filesAnalyzed: false,
    licenseConcluded: licence,
    licenseDeclared: licence,
    copyrightText: 'NOASSERTION',
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
  };
}

/** The libraries inside the runtime; those that are only in its source tree are left out. */
function libraries(runtime: Component): Readonly<Record<string, unknown>>[] {
  return runtimeParts(runtime.text)
    .filter(({ place }) => !/^(test|tools|deps\/(googletest|npm|corepack))(\/|$)/.test(place))
    .map(({ name, place }) => ({
      SPDXID: idOf(`node-${name}`),
      name,
      downloadLocation: 'NOASSERTION',
      filesAnalyzed: false,
      licenseConcluded: 'NOASSERTION',
      licenseDeclared: 'NOASSERTION',
      licenseComments: `Text under "${name}" in THIRD-PARTY-LICENSES`,
      copyrightText: 'NOASSERTION',
      sourceInfo: `${place} in the sources of Node.js ${runtime.version}`,
    }));
}

/** The document; the same inputs give the same bytes. */
export function sbom({ components, runtime, binary, architecture, provenance }: SbomInputs): string {
  const sha256 = createHash('sha256').update(readFileSync(binary)).digest('hex');
  const parts = libraries(runtime);
  const main = {
    SPDXID: idOf(NAME),
    name: NAME,
    versionInfo: VERSION,
    packageFileName: 'ctdb_etcd_lock',
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    checksums: [{ algorithm: 'SHA256', checksumValue: sha256 }],
    sourceInfo: `commit ${provenance.commit}`,
    licenseConcluded: 'GPL-3.0-or-later',
    licenseDeclared: 'GPL-3.0-or-later',
    copyrightText: 'NOASSERTION',
    primaryPackagePurpose: 'APPLICATION',
  };
  const contains = (from: string, to: string): object => ({
    spdxElementId: from,
    relationshipType: 'CONTAINS',
    relatedSpdxElement: to,
  });
  const all = [...components, runtime];
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${NAME}-${VERSION}-${architecture}`,
    documentNamespace: `urn:sha256:${sha256}`,
    creationInfo: {
      created: new Date(provenance.epoch * 1000).toISOString().replace('.000Z', 'Z'),
      creators: [`Tool: ${NAME}-packaging-${VERSION}`],
    },
    packages: [main, ...all.map(packageOf), ...parts],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: main.SPDXID },
      ...all.map(({ name }) => contains(main.SPDXID, idOf(name))),
      ...parts.map(({ SPDXID }) => contains(idOf(runtime.name), String(SPDXID))),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
