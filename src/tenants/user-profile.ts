/** User profiles: the people and programs that charges are billed to. */

/** What callers set. An empty text means that it is not set. */
export interface UserProfileContent {
  readonly displayName: string;
  readonly email: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly externalIds: ReadonlyMap<string, string>;
}

/** A user profile. */
export interface UserProfile extends UserProfileContent {
  /** As charges name it. */
  readonly id: string;
  readonly createTimeMicros: bigint;
  readonly updateTimeMicros: bigint;
  /** Undefined: it is not disabled. */
  readonly disableTimeMicros: bigint | undefined;
}

/** The members of the content that differ. */
export function changedMembers(
  before: UserProfileContent,
  changes: Partial<UserProfileContent>,
): (keyof UserProfileContent)[] {
  const members = Object.keys(changes) as (keyof UserProfileContent)[];
  return members.filter((member) => textOf(before[member]) !== textOf(changes[member] ?? ''));
}

function textOf(value: UserProfileContent[keyof UserProfileContent]): string {
  return typeof value === 'string' ? value : JSON.stringify([...value].sort(([a], [b]) => (a < b ? -1 : 1)));
}
