/**
 * Every way in which a call can fail, as one closed union. The gRPC border maps each kind to one
 * status and reason (`rpc/errors.ts`); anything that is not a {@link ServiceError} is a defect.
 */

/** One violated rule of the contract. */
export interface FieldViolation {
  /** Path of the field from the request, in proto spelling: `charge.labels["team"]`. */
  readonly field: string;
  /** What to change. */
  readonly description: string;
  /** The rule's id in the contract: `string.max_len`, `charge.model_required`. */
  readonly rule: string;
}

/** What happened. Kinds and their members correspond to `charge.v1.ErrorReason`. */
export type Failure =
  | { readonly kind: 'validation_failed'; readonly violations: readonly FieldViolation[] }
  | { readonly kind: 'malformed_message' }
  | { readonly kind: 'message_too_large'; readonly limitBytes: number; readonly sizeBytes: number }
  | {
      readonly kind: 'request_id_reused';
      readonly requestId: string;
      readonly field: string;
      readonly chargeId: string;
    }
  | { readonly kind: 'charge_not_found'; readonly id?: string; readonly requestId?: string }
  | { readonly kind: 'page_token_invalid' }
  | {
      readonly kind: 'sequence_out_of_range';
      readonly startSequence: bigint;
      readonly lastSequence: bigint;
    }
  | { readonly kind: 'overloaded'; readonly limit: string; readonly retryAfterMs: number }
  | { readonly kind: 'shutting_down'; readonly retryAfterMs: number }
  | { readonly kind: 'database_unavailable'; readonly retryAfterMs: number }
  | { readonly kind: 'deadline_exceeded' }
  | { readonly kind: 'cancelled' };

/** A failure with a name. Its message is for logs; callers get the text of `rpc/errors.ts`. */
export class ServiceError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.kind, options);
    this.name = 'ServiceError';
    this.failure = failure;
  }
}
