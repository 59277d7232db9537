/** The messages between the supervisor and its server processes. */

import type { DatabaseFault } from '../database/database-fault.ts';
import type { ServerCertificate } from '../tls/certificate.ts';

/** From a server process. */
export type ServerMessage =
  /** It cannot listen without the certificate of the service. */
  | { readonly type: 'certificate_needed' }
  /** It listens. */
  | { readonly type: 'listening' }
  /** Why it cannot record charges, or undefined if it can. */
  | { readonly type: 'serving'; readonly fault: DatabaseFault | undefined }
  /** Charges were committed; their events, unless the supervisor does not keep up. */
  | { readonly type: 'committed'; readonly events: readonly Buffer[] }
  /** Its start failed, and starting it again would not help. */
  | { readonly type: 'failed'; readonly reason: string };

/** From the supervisor. */
export type SupervisorMessage =
  /** Finish calls in progress, refuse new ones, exit. */
  | { readonly type: 'drain' }
  /** What to show clients from now on. */
  | { readonly type: 'certificate'; readonly certificate: ServerCertificate }
  /** Whether events reach the stream now. */
  | { readonly type: 'relay'; readonly publishing: boolean }
  /** Where NATS is, once it has started. */
  | { readonly type: 'nats'; readonly url: string };

/** Whether this has a type. Libraries use the channel too: the receiver skips types that it does not know. */
export function isMessage<T extends ServerMessage | SupervisorMessage>(value: unknown): value is T {
  return typeof value === 'object' && value !== null && 'type' in value;
}
