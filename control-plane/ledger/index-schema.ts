/**
 * The indexes by which every list, report and set of keys that can be asked for is one walk, however many keys there are beside those that are asked
 * for. What no index can answer: a part of a name, a permission (it may be granted by a wildcard), the last use.
 */
export const WALK_INDEXES = `
  DROP INDEX api_keys_of_organization;
  DROP INDEX api_keys_of_user;
  DROP INDEX api_keys_by_creator;
  CREATE INDEX api_keys_by_kind ON api_keys (organization_id, owner_type, id) WHERE revoked_seq IS NULL;
  CREATE INDEX api_keys_of_user ON api_keys (user_id, id) WHERE user_id IS NOT NULL AND revoked_seq IS NULL;
  CREATE INDEX api_keys_of_member ON api_keys (user_id, organization_id, id) WHERE user_id IS NOT NULL AND revoked_seq IS NULL;
  CREATE INDEX api_keys_by_creator ON api_keys (created_by_id, organization_id, id) WHERE revoked_seq IS NULL;
  CREATE INDEX api_keys_by_age ON api_keys (organization_id, created_at_ms) WHERE revoked_seq IS NULL;
  CREATE INDEX api_keys_unrevoked ON api_keys (id) WHERE revoked_seq IS NULL;
  CREATE INDEX api_key_requests_by_status ON api_key_requests (organization_id, status, id);
  CREATE INDEX memberships_by_status ON memberships (organization_id, status, id);
  CREATE INDEX events_that_end_keys_of ON events (organization_id, seq) WHERE ends_keys = 1;
  CREATE INDEX denial_allowances_whole ON denial_allowances (at_ms) WHERE unrecorded = 0;
  CREATE INDEX denial_allowances_counting ON denial_allowances (at_ms) WHERE unrecorded > 0;
  `;
