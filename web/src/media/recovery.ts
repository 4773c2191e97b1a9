/**
 * What to do when a connection is in trouble. Pure: the session carries it out and reports back.
 *
 * A connection that lost its way gets new ICE credentials (the same keys and slots, no gap beyond the outage). One that
 * has failed, or whose session the server no longer knows, is joined anew with the resume token, which gives back place,
 * role and hand for 30 s. What only the person can change ends it.
 */
import { NETWORK } from '../api/problem';

export type Phase = 'joining' | 'live' | 'restarting' | 'rejoining' | 'over';
export type Step = 'none' | 'restart' | 'rejoin' | 'retry' | 'forget_token' | 'give_up';

export type Happened =
  | { what: 'connection'; state: RTCPeerConnectionState }
  | { what: 'live_socket_back' }
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
  switch (happened.what) {
    case 'connection':
      // A closed one was closed by the server: somebody who was sent out hears so on the live socket as well.
      if (happened.state === 'failed' || happened.state === 'closed') return phase === 'rejoining' ? 'retry' : 'rejoin';
      return happened.state === 'disconnected' && phase === 'live' ? 'restart' : 'none';
    case 'live_socket_back':
      // The network may have changed under a connection that has not noticed yet.
      return phase === 'live' ? 'restart' : phase === 'restarting' || phase === 'rejoining' ? 'retry' : 'none';
    case 'refused':
      return refused(phase, happened.code, happened.status);
  }
}

function refused(phase: Phase, code: string, status: number): Step {
  if (FINAL.has(code)) return 'give_up';
  if (code.startsWith('resume_')) {
    // Who opens the page may come in anew. Nobody is brought back by themselves after they were sent out.
    return phase === 'joining' || code === 'resume_invalid' ? 'forget_token' : 'give_up';
  }
  if (phase === 'restarting' && status >= 400 && status < 500 && status !== 429) return 'rejoin';
  if (code === NETWORK || status >= 500 || status === 429 || status === 408) return 'retry';
  return 'give_up';
}
