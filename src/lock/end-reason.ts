/** Why this process stops holding the lock. */
export type EndReason =
  /** CTDB sent SIGTERM. */
  | { readonly kind: 'terminated' }
  /** The parent process has ended. */
  | { readonly kind: 'parentGone' }
  /**
   * The lock's key is gone, or belongs to another holder. `maySplit`: the endpoint that shows this may lead to another
   * store than the one in which the lock was taken.
   */
  | { readonly kind: 'keyLost'; readonly how: string; readonly maySplit?: boolean }
  /**
   * The endpoints lead to more than one store, or no endpoint can renew the lease. `id` is the entry in
   * docs/failure-guide.md.
   */
  | { readonly kind: 'refused'; readonly id: string; readonly how: string }
  /** No renewal was proven in time: etcd is silent, or this process was frozen. */
  | { readonly kind: 'deadlinePassed'; readonly how: string };
