/** A real client of UserProfileService. */

import { ChannelCredentials } from '@grpc/grpc-js';

import {
  CreateUserProfileRequest,
  type CreateUserProfileResponse,
  type DisableUserProfileResponse,
  type EnableUserProfileResponse,
  type GetUserProfileResponse,
  ListUserProfilesRequest,
  type ListUserProfilesResponse,
  UpdateUserProfileRequest,
  type UpdateUserProfileResponse,
  UserProfile,
  UserProfileServiceClient,
} from '../../generated/charge/v1/user_profile_service.ts';
import { call } from '../support/server.ts';

/** Calls of the service; each resolves to its response. */
export class UserProfiles {
  readonly #client: UserProfileServiceClient;

  /** With a connection of its own. */
  constructor(address: string) {
    this.#client = new UserProfileServiceClient(address, ChannelCredentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  async create(userProfile: Partial<UserProfile>): Promise<UserProfile | undefined> {
    const request = CreateUserProfileRequest.fromPartial({});
    request.userProfile = UserProfile.fromPartial(userProfile);
    const response = await call<CreateUserProfileResponse>((done) =>
      this.#client.createUserProfile(request, done),
    );
    return response.userProfile;
  }

  async update(userProfile: Partial<UserProfile>, mask?: string[]): Promise<UserProfile | undefined> {
    const request = UpdateUserProfileRequest.fromPartial({});
    request.userProfile = UserProfile.fromPartial(userProfile);
    request.updateMask = mask;
    const response = await call<UpdateUserProfileResponse>((done) =>
      this.#client.updateUserProfile(request, done),
    );
    return response.userProfile;
  }

  async get(id: string): Promise<UserProfile | undefined> {
    const response = await call<GetUserProfileResponse>((done) => this.#client.getUserProfile({ id }, done));
    return response.userProfile;
  }

  async disable(id: string): Promise<UserProfile | undefined> {
    const response = await call<DisableUserProfileResponse>((done) =>
      this.#client.disableUserProfile({ id }, done),
    );
    return response.userProfile;
  }

  async enable(id: string): Promise<UserProfile | undefined> {
    const response = await call<EnableUserProfileResponse>((done) =>
      this.#client.enableUserProfile({ id }, done),
    );
    return response.userProfile;
  }

  list(request: Partial<ListUserProfilesRequest> = {}): Promise<ListUserProfilesResponse> {
    const { labels = new Map<string, string>(), ...rest } = request;
    const full = { ...ListUserProfilesRequest.fromPartial({}), ...rest, labels };
    return call((done) => this.#client.listUserProfiles(full, done));
  }

  close(): void {
    this.#client.close();
  }
}
