/** The account of this device: who is signed in, where they stand, and signing in and out. */
import { computed, signal } from '@preact/signals';
import { auth, me as meRoutes } from '../api/routes';
import * as tokens from '../api/tokens';
import type { Me, Notice } from '../api/types';
import { forgetPush } from './push-here';

/** `starting`: tokens are there, the account is not yet; `unreachable`: nor can it be had, for `accountError`. */
export type AccountState = 'signed_out' | 'starting' | 'unreachable' | 'ready';

/** Signing out waits no longer than this for the service. */
const SIGN_OUT_MS = 3_000;

export const me = signal<Me | null>(null);
export const accountState = signal<AccountState>(tokens.signedIn() ? 'starting' : 'signed_out');
export const accountError = signal<unknown>(null);
export const myId = computed(() => me.value?.id ?? '');
export const unread = computed(() => (me.value ? Math.max(0, me.value.notice_seq - me.value.notices_read) : 0));
/** An invite link that brought the person here, kept until they have signed in. */
export const pendingInvite = signal<string | null>(sessionStorage.getItem('mitalk.invite'));

export function keepInvite(code: string | null): void {
  pendingInvite.value = code;
  if (code) sessionStorage.setItem('mitalk.invite', code);
  else sessionStorage.removeItem('mitalk.invite');
}

/** Somebody active needs a name and a handle before they meet others. */
export const needsSetup = computed(() => {
  const account = me.value;
  return account?.standing === 'active' && (!account.profile.name || !account.profile.handle);
});

export function setMe(next: Me): void {
  me.value = next;
  accountState.value = 'ready';
}

export function noticed(notice: Notice): void {
  const account = me.value;
  if (account) me.value = { ...account, notice_seq: Math.max(account.notice_seq, notice.seq) };
}

export async function load(): Promise<void> {
  if (!tokens.signedIn()) return;
  try {
    setMe(await meRoutes.get());
  } catch (error) {
    accountError.value = error;
    // A refused refresh has signed us out already; everything else may pass.
    if (tokens.signedIn()) accountState.value = 'unreachable';
  }
}

export async function verify(phone: string, code: string): Promise<void> {
  const invite = pendingInvite.value ?? undefined;
  const signedIn = await auth.verify({ phone, code, device_name: deviceName(), invite });
  keepInvite(null);
  tokens.store(signedIn.tokens);
  setMe(signedIn.me);
}

/** Also where the service does not answer: what makes this device that person's is gone then. */
export async function signOut(): Promise<void> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, SIGN_OUT_MS));
  // The service forgets the subscription with the device.
  await Promise.race([Promise.all([auth.signOut().catch(() => undefined), forgetPush()]), late]);
  tokens.forget();
}

tokens.onTokens((signedIn) => {
  if (!signedIn) {
    // However it ended: the next person here has not asked for anything.
    void forgetPush();
    me.value = null;
    accountState.value = 'signed_out';
  } else if (accountState.value === 'signed_out') {
    accountState.value = 'starting';
    void load();
  }
});

/** What the list of devices shows, from what browsers tell about themselves. */
function deviceName(): string {
  const agent = navigator.userAgent;
  const browser = /Edg\//.test(agent)
    ? 'Edge'
    : /Firefox\//.test(agent)
      ? 'Firefox'
      : /Chrome\//.test(agent)
        ? 'Chrome'
        : 'Safari';
  const system = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS', 'Linux'].find((name) => agent.includes(name));
  return system ? `${browser}, ${system}` : browser;
}
