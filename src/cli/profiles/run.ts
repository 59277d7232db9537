/** Calls UserProfileService and prints what it answers. */

import {
  type UserProfile,
  UserProfileServiceService as Methods,
} from '../../../generated/charge/v1/user_profile_service.ts';
import type { Server } from '../connection.ts';
import { EXIT } from '../command.ts';
import { openContract } from '../contract.ts';
import { tableText } from '../prices/table.ts';
import { type Session, withSession } from '../session.ts';
import { timeText } from '../time.ts';

/** Where the service is, and how to print. */
export interface ProfileOptions {
  readonly server: Server;
  readonly json: boolean;
}

/** What to do to a user profile. */
export type Change =
  | { readonly kind: 'create'; readonly userProfile: UserProfile }
  | { readonly kind: 'update'; readonly userProfile: UserProfile; readonly mask: string[] }
  | { readonly kind: 'disable' | 'enable'; readonly id: string };

/** Changes a user profile and prints it. Returns the exit status. */
export function runChange(change: Change, options: ProfileOptions, interrupt: AbortSignal): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    print([(await send(session, change)).userProfile], options);
    return EXIT.ok;
  });
}

function send(session: Session, change: Change): Promise<{ userProfile: UserProfile | undefined }> {
  switch (change.kind) {
    case 'create':
      return session.call(Methods.createUserProfile, { userProfile: change.userProfile });
    case 'update':
      return session.call(Methods.updateUserProfile, {
        userProfile: change.userProfile,
        updateMask: change.mask,
      });
    case 'disable':
      return session.call(Methods.disableUserProfile, { id: change.id });
    case 'enable':
      return session.call(Methods.enableUserProfile, { id: change.id });
  }
}

/** Prints a user profile. Returns the exit status. */
export function runShow(id: string, options: ProfileOptions, interrupt: AbortSignal): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    print([(await session.call(Methods.getUserProfile, { id })).userProfile], options);
    return EXIT.ok;
  });
}

const PAGE_SIZE = 1000;

/** Prints all user profiles with these labels, page by page. Returns the exit status. */
export function runList(
  labels: Map<string, string>,
  options: ProfileOptions,
  interrupt: AbortSignal,
): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    let pageToken = '';
    let isEmpty = true;
    do {
      const request = { pageSize: PAGE_SIZE, pageToken, labels };
      const page = await session.call(Methods.listUserProfiles, request);
      print(page.userProfiles, options);
      if (page.userProfiles.length > 0) isEmpty = false;
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    if (isEmpty && !options.json) process.stdout.write('There are no such user profiles.\n');
    return EXIT.ok;
  });
}

const TITLES = ['ID', 'NAME', 'E-MAIL', 'LABELS', 'EXTERNAL IDS', 'CREATED', 'DISABLED'];

/** As JSON one line each, so that a program can read a long list as it comes. */
function print(found: readonly (UserProfile | undefined)[], { json }: ProfileOptions): void {
  const userProfiles = found.filter((userProfile) => userProfile !== undefined);
  if (userProfiles.length === 0) return;
  const text = json ? toJson(userProfiles) : tableText(TITLES, userProfiles.map(rowOf));
  process.stdout.write(`${text}\n`);
}

function toJson(userProfiles: readonly UserProfile[]): string {
  const contract = openContract();
  return userProfiles
    .map((userProfile) => JSON.stringify(contract.userProfileToJson(userProfile)))
    .join('\n');
}

function rowOf(userProfile: UserProfile): string[] {
  const { id, displayName, email, labels, externalIds, createTime, disableTime } = userProfile;
  const texts = [id, displayName, email, pairs(labels), pairs(externalIds)];
  return [...texts, timeText(createTime), timeText(disableTime)];
}

function pairs(map: ReadonlyMap<string, string>): string {
  return [...map].map(([key, value]) => `${key}=${value}`).join(' ');
}
