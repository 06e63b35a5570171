/** Why we do not hold the lock any longer, or will not in a moment. */
export type EndReason =
  /** CTDB asked, by SIGTERM. */
  | { readonly kind: 'terminated' }
  /** Whoever started us is gone, or nobody was there. */
  | { readonly kind: 'parentGone' }
  /** Our key is gone, or not ours. */
  | { readonly kind: 'keyLost'; readonly how: string }
  /** The endpoints lead to more than one store, or to none that can renew the lease; `id` names the entry in the failure guide. */
  | { readonly kind: 'refused'; readonly id: string; readonly how: string }
  /** Nothing any more: etcd is silent, or we were frozen. */
  | { readonly kind: 'deadlinePassed'; readonly how: string };
