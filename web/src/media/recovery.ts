/**
 * What to do when a connection is in trouble. Pure: the session carries it out and reports back.
 *
 * A connection that lost its way gets new ICE credentials (the same keys and slots, no gap beyond the outage). One that
 * has failed, or whose session the server no longer knows, is joined anew with the resume token, which gives back place,
 * role and hand for 30 s; after that, without it. What only the person can change ends it: that they were sent out comes
 * by the live socket and closes the session, so nobody is brought back by themselves after that.
 */
import { passes } from '../api/problem';

/**
 * `joining` and `rejoining`: a join is under way or will be tried again. `connecting`: it was answered, and the sound is
 * looking for its way. `restarting`: new ICE credentials are.
 */
export type Phase = 'joining' | 'rejoining' | 'connecting' | 'live' | 'restarting' | 'over';
export type Step = 'none' | 'restart' | 'join' | 'join_without_token' | 'give_up';

export type Happened =
  | { what: 'connection'; state: RTCPeerConnectionState }
  | { what: 'network_back' }
  | { what: 'refused'; code: string; status: number };

/** Refusals of a join that waiting does not change. */
const FINAL = new Set([
  'room_banned',
  'room_closed',
  'room_social',
  'room_ended',
  'room_not_found',
  'not_active',
  'suspended',
  'sdp_invalid',
  'token_missing',
  'token_invalid',
  'refresh_invalid',
  'refresh_reused',
]);

export function next(phase: Phase, happened: Happened): Step {
  if (phase === 'over') return 'none';
  const joins = phase === 'joining' || phase === 'rejoining';
  switch (happened.what) {
    case 'connection':
      // Nothing that happens to a connection matters once it is being replaced.
      if (joins) return 'none';
      // A closed one was closed by the server.
      if (happened.state === 'failed' || happened.state === 'closed') return 'join';
      return happened.state === 'disconnected' && phase === 'live' ? 'restart' : 'none';
    case 'network_back':
      // It may have changed under a connection that has not noticed yet.
      return joins ? 'join' : 'restart';
    case 'refused':
      return refused(phase, happened.code, happened.status);
  }
}

function refused(phase: Phase, code: string, status: number): Step {
  if (FINAL.has(code)) return 'give_up';
  if (code.startsWith('resume_')) return 'join_without_token';
  if (phase === 'restarting') return passes(code, status) ? 'restart' : 'join';
  return passes(code, status) ? 'join' : 'give_up';
}
