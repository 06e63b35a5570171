/**
 * A cluster ID in hex, as etcd's logs show it. It gets the prefix `0x` when it has no letter, because it could be read
 * as a decimal number otherwise.
 * @param id a decimal uint64
 */
export function clusterIdText(id: string): string {
  const hex = BigInt(id).toString(16);
  return /[a-f]/.test(hex) ? hex : `0x${hex}`;
}
