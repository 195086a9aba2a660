/** Every error the HTTP API answers: its code, which never changes, its status, what it means, and what to do about it. */

/** What is said about an error. */
interface CataloguedError {
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 415 | 422 | 429 | 500 | 503;
  readonly meaning: string;
  readonly remedy: string;
}

/** The catalogue. A code is added here before anything can answer it. */
export const ERRORS = {
  bad_request: {
    status: 400,
    meaning: "The body is not JSON, not UTF-8, or nested too deep.",
    remedy: "Send one JSON object in UTF-8, nested at most 32 deep.",
  },
  invalid_range: {
    status: 400,
    meaning: "A range of time ends before it begins: `range_start` is after `range_end`, or after now where that is when the range ends.",
    remedy: "Swap the two, or leave one out.",
  },
  invalid_audit_log_event: {
    status: 400,
    meaning: "The event is not as the schema of its action says; `errors` names each member.",
    remedy: "Mend what `errors` names, or send the `version` of the schema that the event is as.",
  },
  missing_user_id_or_organization_id: {
    status: 400,
    meaning: "Memberships were asked for without saying whose.",
    remedy: "Send `user_id`, `organization_id`, or both.",
  },
  unauthorized: {
    status: 401,
    meaning:
      "The request carries no live key of `org_platform` and no good token of your identity provider; for `POST /bootstrap`, not the bootstrap secret.",
    remedy: "Send `Authorization: Bearer <key>` with a key that has neither ended nor been revoked. Why it was refused is not said.",
  },
  insufficient_permissions: {
    status: 403,
    meaning: "The caller lacks the permissions in `missing_permissions`, or is to act on a platform key that can do more than themselves.",
    remedy: "Use a key, or a role of your identity provider, that has them.",
  },
  entity_not_found: {
    status: 404,
    meaning: "There is no such thing, or no longer, or the id is of another kind.",
    remedy: "Check the id. After a call that ends something, this says that it has ended and that this is in force.",
  },
  not_found: {
    status: 404,
    meaning: "There is no endpoint with this method and path.",
    remedy: "Check both against the reference.",
  },
  already_exists: {
    status: 409,
    meaning: "What was to be made exists already.",
    remedy: "Use the one there is, or another name.",
  },
  permission_slug_conflict: {
    status: 409,
    meaning: "The catalogue has a permission with this slug.",
    remedy: "Use that one, or another slug.",
  },
  role_slug_conflict: {
    status: 409,
    meaning: "There is a role with this slug.",
    remedy: "Use that one, or another slug.",
  },
  user_already_exists: {
    status: 409,
    meaning: "There is a user with this e-mail address, in capitals or not.",
    remedy: "Find the user with `GET /user_management/users?email=`.",
  },
  organization_membership_already_exists: {
    status: 409,
    meaning: "The user is a member of this organization.",
    remedy: "Change the role of the membership there is.",
  },
  api_key_already_expired: {
    status: 409,
    meaning: "The key has ended, and a key that has ended stays ended.",
    remedy: "Make a new key.",
  },
  last_holder_of_permission: {
    status: 409,
    meaning: "It is the last platform key without an end that holds one of the permissions it has, and nobody could grant that again.",
    remedy: "Make another platform key without an end that holds what the message names, first.",
  },
  version_conflict: {
    status: 409,
    meaning: "The route table has changed since the version that was named.",
    remedy: "Read it again, and send your change on top of it.",
  },
  already_bootstrapped: {
    status: 409,
    meaning: "The first key was made.",
    remedy: "Use it, or a key made with it. With the Idempotency-Key of the first time the first answer is given again for 24 hours.",
  },
  reply_unavailable: {
    status: 409,
    meaning: "The answer to this Idempotency-Key was sealed under another `REPLY_SEAL_KEY` and cannot be given again.",
    remedy:
      "What was asked for was done, the secret in its answer is lost: make another key, or rotate the secret, with a new Idempotency-Key.",
  },
  body_too_large: {
    status: 413,
    meaning: "The body is larger than 256 KiB.",
    remedy: "Send less at once.",
  },
  unsupported_media_type: {
    status: 415,
    meaning: "The body is not declared as JSON.",
    remedy: "Send `Content-Type: application/json`.",
  },
  invalid_request_parameters: {
    status: 422,
    meaning: "A member of the body, a query parameter or a header is missing or wrong; `errors` names each.",
    remedy: "Mend what `errors` names.",
  },
  permission_not_assignable: {
    status: 422,
    meaning: "A permission is unknown, or more than the owner of the key may hold, or more than the caller may grant.",
    remedy: "Leave out the permissions that the message names, or give them to the owner first.",
  },
  membership_not_active: {
    status: 422,
    meaning: "The user is no member of that organization, or an inactive one.",
    remedy: "Make the user a member first, or reactivate the membership.",
  },
  invalid_expiry: {
    status: 422,
    meaning: "The end of the key is not in the future.",
    remedy: "Send a later time, or none.",
  },
  idempotency_key_reused: {
    status: 422,
    meaning: "Another request came with this Idempotency-Key within the last 24 hours.",
    remedy: "Use a new one for each thing you want done.",
  },
  rate_limit_exceeded: {
    status: 429,
    meaning: "The caller has asked too often in the last minute; for `POST /bootstrap`, its network address has.",
    remedy: "Wait for the seconds in `Retry-After`. `RateLimit` says with every answer what is left.",
  },
  internal_error: {
    status: 500,
    meaning: "The control plane or the ledger failed by a fault of its own; the change may have been made or not.",
    remedy: "Look whether it was made. Asking again will not help: report the `X-Request-ID` of the answer.",
  },
  external_id_already_used: {
    status: 409,
    meaning: "Another organization, or another user, has this `external_id`.",
    remedy: "Find it with `GET …/external_id/:external_id`, or use another one.",
  },
  too_much_metadata: {
    status: 422,
    meaning: "With what is there already it would be more than 10 pairs of metadata.",
    remedy: "Take others away by sending null for them.",
  },
  organization_suspended: {
    status: 409,
    meaning: "The organization is suspended: no keys are made in it.",
    remedy: "Resume it first.",
  },
  platform_organization: {
    status: 409,
    meaning: "`org_platform` holds the keys that govern the installation; it cannot be changed, suspended or ended.",
    remedy: "Revoke single keys of it instead.",
  },
  organization_role_slug_conflict: {
    status: 409,
    meaning: "The organization has a role with this slug.",
    remedy: "Use that one, or another slug.",
  },
  role_has_assignments: {
    status: 409,
    meaning: "Members still have the role.",
    remedy: "Give them another role first. To end what the role allows at once, take its permissions away.",
  },
  // Sign-in of admins, and self-serve
  widget_token_refused: {
    status: 403,
    meaning:
      "The widget sent no token, or one that has expired or is not of this installation, or who it was made for or by has lost what it is good for.",
    remedy: "Get another one with `POST /widgets/token`; the widget does so by itself where it was given a function.",
  },
  identity_provider_unreachable: {
    status: 503,
    meaning: "The keys of the identity provider could not be fetched, so that its token could not be verified.",
    remedy: "Send the request again after the seconds in `Retry-After`, or call with a platform key.",
  },
  not_yet_effective: {
    status: 503,
    meaning: "The change is committed, but not yet in force in every cell, or not yet known to the webhook endpoint's dispatcher.",
    remedy: "Send the same request with the same Idempotency-Key again.",
  },
  temporarily_unavailable: {
    status: 503,
    meaning: "The ledger could not be reached or did not finish; the change may have been made or not.",
    remedy: "Send the same request with the same Idempotency-Key again, after the seconds in `Retry-After`.",
  },
  // The life of a key
  previous_secret_in_use: {
    status: 409,
    meaning: "The secret before the present one still works, and a key has two at most.",
    remedy: "End it first with `DELETE /api_keys/:id/previous_secret`, or rotate with an overlap of 0, which ends both.",
  },
  preview_outdated: {
    status: 409,
    meaning: "Other keys meet the conditions than those of the preview.",
    remedy: "Ask for a new preview, look at it, and repeat with its `confirmation`.",
  },
  // Webhook endpoints
  duplicate_endpoint: {
    status: 409,
    meaning: "There is a webhook endpoint with this URL.",
    remedy: "Change that one; it can hear of any number of events.",
  },
  webhook_endpoint_limit: {
    status: 409,
    meaning: "The installation has as many webhook endpoints as it may.",
    remedy: "Delete one that is not needed.",
  },
  webhook_endpoint_disabled: {
    status: 409,
    meaning: "The webhook endpoint is disabled, so nothing is sent to it.",
    remedy: "Enable it first.",
  },
  invalid_url: {
    status: 422,
    meaning: "Webhooks are not sent to this URL; the message says why.",
    remedy: "Give the https URL of a public host.",
  },
  // Permissions
  enabled_by_wildcard: {
    status: 409,
    meaning:
      "A wildcard of the catalogue would be enabled for keys for which a permission that it covers is not; such keys would hold that all the same.",
    remedy: "Disable the wildcard for these keys first, or enable for them what it covers.",
  },
  catalogue_limit: {
    status: 409,
    meaning: "There are as many permissions, or roles, or actions of audit events or schemas of one, as there may be.",
    remedy: "Delete those that are not needed; a wildcard stands for many permissions. Actions and schemas stay: use those there are.",
  },
  // Policies on keys, and requests
  api_key_policy_violated: {
    status: 422,
    meaning: "The organization's policy on keys does not allow it; `policy` names the field and what it has there.",
    remedy: "Ask for what the policy allows, or have the policy changed. Where a second admin must approve, make a request for the key.",
  },
  api_key_request_not_open: {
    status: 409,
    meaning: "The request was decided or collected already, or not yet approved, or its time is up; the message says which.",
    remedy: "Read the request. One that was denied or has expired stays so: make another.",
  },
  self_approval: {
    status: 403,
    meaning:
      "Who asked for the key is to decide on it, or somebody who may be the same person: one credential made or rotated the other, or the same one made or rotated both.",
    remedy: "Have another admin decide, with a credential that who asked has neither made nor rotated.",
  },
  approval_void: {
    status: 409,
    meaning: "The platform key that approved the request has ended, or may not approve any more.",
    remedy: "Make another request, and have it approved.",
  },
  // Usage
  api_key_unused: {
    status: 409,
    meaning: "The key has used none of its permissions within the window, so that narrowing it would leave it nothing.",
    remedy: "Disable or revoke it, or look at a longer window.",
  },
} as const satisfies Readonly<Record<string, CataloguedError>>;

/** Code of an error in the catalogue. */
export type ErrorCode = keyof typeof ERRORS;
