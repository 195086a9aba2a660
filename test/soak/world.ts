/** What the soak knows of its installation: every fact that decides over requests, with its history. */
import { Timeline } from "./timeline.ts";

/** An organization. */
export interface Organization {
  readonly id: string;
  readonly isRunning: Timeline<boolean>;
}

/** A role of members. */
export interface Role {
  readonly slug: string;
  readonly permissions: Timeline<readonly string[]>;
}

/** One membership; a user who comes back has another one. */
export interface Membership {
  readonly id: string;
  readonly userId: string;
  readonly role: Timeline<Role>;
  readonly status: Timeline<"active" | "inactive" | "ended">;
}

/** One secret of a key. */
export interface Secret {
  readonly value: string;
  readonly isCurrent: Timeline<boolean>;
}

/** A key. */
export interface Key {
  readonly id: string;
  readonly organization: Organization;
  /** Whose it is, if not the organization's. */
  readonly membership: Membership | undefined;
  readonly secrets: Secret[];
  readonly isRevoked: Timeline<boolean>;
  readonly isEnabled: Timeline<boolean>;
  readonly hasExpired: Timeline<boolean>;
  readonly granted: Timeline<readonly string[]>;
}

/** What a route asks for; `path` is the pattern's fixed part. */
export interface SoakRoute {
  /** Null: passes without a key. */
  readonly permission: string | null;
  readonly limit?: "rate" | "quota" | "concurrency";
  /** Seconds of age that knowledge may have while the ledger cannot be asked. */
  readonly allowStaleS?: number;
  /** It has a second upstream that never fails. */
  readonly hasSpare?: true;
}

/** Everything. */
export class World {
  /** By path; null while there is no such route. */
  readonly routes = new Map<string, Timeline<SoakRoute | null>>();
  /** Keys that may be good. */
  live: Key[] = [];
  /** Keys that have ended, the latest ones. */
  dead: Key[] = [];

  /** A key has ended, or is about to. */
  bury(key: Key, keptMost = 300): void {
    this.live = this.live.filter((each) => each !== key);
    this.dead = [...this.dead.slice(-(keptMost - 1)), key];
  }
}

/** A key as it was just made. */
export function newKey(made: {
  readonly id: string;
  readonly value: string;
  readonly organization: Organization;
  readonly membership?: Membership;
  readonly permissions: readonly string[];
}): Key {
  return {
    id: made.id,
    organization: made.organization,
    membership: made.membership,
    secrets: [{ value: made.value, isCurrent: new Timeline(true) }],
    isRevoked: new Timeline(false),
    isEnabled: new Timeline(true),
    hasExpired: new Timeline(false),
    granted: new Timeline(made.permissions),
  };
}
