/** What the supervisor and its server processes tell each other over the cluster's channel. */

/** From a server process. */
export type ServerMessage =
  /** It listens. */
  | { readonly type: 'listening' }
  /** Whether it can record charges. */
  | { readonly type: 'serving'; readonly serving: boolean }
  /** Something was committed that the relay may publish; the groups themselves, unless it is behind. */
  | { readonly type: 'committed'; readonly events: readonly Buffer[] }
  /** Its start failed for a reason that a restart does not mend. */
  | { readonly type: 'failed'; readonly reason: string };

/** From the supervisor. */
export type SupervisorMessage =
  /** Finish what is in hand, refuse the rest, exit. */
  | { readonly type: 'drain' }
  /** Whether events reach NATS at present. */
  | { readonly type: 'relay'; readonly connected: boolean };

/** Whether this came from a peer of this service, and not from a library that uses the channel too. */
export function isMessageOf<T extends ServerMessage | SupervisorMessage>(
  value: unknown,
  types: readonly T['type'][],
): value is T {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    (types as readonly unknown[]).includes(value.type)
  );
}

export const SERVER_MESSAGES = ['listening', 'serving', 'committed', 'failed'] as const;
export const SUPERVISOR_MESSAGES = ['drain', 'relay'] as const;
