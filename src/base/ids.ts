/**
 * A cluster ID as etcd's logs show it: hex. With `0x` in front where it has no letter, because it would be read as a decimal
 * number otherwise.
 *
 * @param id a decimal uint64
 */
export function clusterIdText(id: string): string {
  const hex = BigInt(id).toString(16);
  return /[a-f]/.test(hex) ? hex : `0x${hex}`;
}
