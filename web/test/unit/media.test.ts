import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/api/problem';
import { backoffMs, MAX_TRIES, retryAfterMs } from '../../src/api/retry';
import { next } from '../../src/media/recovery';
import { FRESH_MS, loudnessOf, speaking } from '../../src/media/speakers';

describe('who speaks', () => {
  const now = 1_700_000_000_000;

  test('the newest source of each slot, while it is fresh', () => {
    const slots = [
      [
        { source: 1, timestamp: now - 5_000, audioLevel: 0.9 },
        { source: 2, timestamp: now - 20, audioLevel: 0.2 },
      ],
      [{ source: 3, timestamp: now - FRESH_MS - 1, audioLevel: 0.2 }],
      [],
    ];
    expect([...speaking(slots, now, 0).keys()]).toEqual([2]);
  });

  test('clocks of the page are understood as well', () => {
    expect([...speaking([[{ source: 4, timestamp: 980, audioLevel: 0.2 }]], now, 1000).keys()]).toEqual([4]);
  });

  test('silence does not speak, a missing level does', () => {
    const slot = (audioLevel: number | null) => [[{ source: 1, timestamp: now, audioLevel }]];
    expect(speaking(slot(0), now, 0).size).toBe(0);
    expect(speaking(slot(null), now, 0).get(1)).toBeGreaterThan(0);
  });

  test('loudness grows with the level, between nothing and all', () => {
    expect(loudnessOf(0)).toBe(0);
    expect(loudnessOf(1)).toBe(1);
    expect(loudnessOf(0.05)).toBeGreaterThan(loudnessOf(0.01));
  });
});

describe('recovery', () => {
  const connection = (state: RTCPeerConnectionState) => ({ what: 'connection', state }) as const;
  const refused = (code: string, status: number) => ({ what: 'refused', code, status }) as const;

  test('a lost way is restarted, a failed connection joined anew', () => {
    expect(next('live', connection('disconnected'))).toBe('restart');
    expect(next('restarting', connection('disconnected'))).toBe('none');
    expect(next('restarting', connection('failed'))).toBe('join');
    expect(next('connecting', connection('failed'))).toBe('join');
    expect(next('live', connection('failed'))).toBe('join');
    expect(next('over', connection('failed'))).toBe('none');
  });

  test('what happens to a connection that is being replaced means nothing', () => {
    for (const state of ['failed', 'closed', 'disconnected'] as const) {
      expect(next('joining', connection(state))).toBe('none');
      expect(next('rejoining', connection(state))).toBe('none');
    }
  });

  test('the network coming back is a hint', () => {
    expect(next('live', { what: 'network_back' })).toBe('restart');
    expect(next('connecting', { what: 'network_back' })).toBe('restart');
    expect(next('rejoining', { what: 'network_back' })).toBe('join');
    expect(next('over', { what: 'network_back' })).toBe('none');
  });

  test('a session that the server does not know is joined anew', () => {
    expect(next('restarting', refused('session_not_found', 404))).toBe('join');
    expect(next('restarting', refused('network', 0))).toBe('restart');
    expect(next('rejoining', refused('overloaded', 503))).toBe('join');
  });

  test('a resume token that is not taken is forgotten; a closed door stays closed', () => {
    for (const phase of ['joining', 'rejoining'] as const) {
      expect(next(phase, refused('resume_refused', 403))).toBe('join_without_token');
      expect(next(phase, refused('resume_invalid', 422))).toBe('join_without_token');
      for (const code of ['room_banned', 'room_ended', 'room_social', 'not_active']) {
        expect(next(phase, refused(code, 403))).toBe('give_up');
      }
    }
  });
});

describe('retries', () => {
  const problem = (code: string, status: number, retry_after?: number) =>
    new ApiError({ type: '', title: '', code, status, retry_after });

  test('the network and overload are tried again, refusals are not', () => {
    expect(retryAfterMs(problem('network', 0), 1, 0)).toBeGreaterThan(0);
    expect(retryAfterMs(problem('overloaded', 503), 1, 0)).toBeGreaterThan(0);
    expect(retryAfterMs(problem('room_banned', 403), 1, 0)).toBeUndefined();
    expect(retryAfterMs(problem('network', 0), MAX_TRIES, 0)).toBeUndefined();
  });

  test('the server says how long, unless it is too long to wait for', () => {
    expect(retryAfterMs(problem('overloaded', 503, 3), 1, 0)).toBe(3000);
    expect(retryAfterMs(problem('code_rate_limited', 429, 60), 1, 0)).toBeUndefined();
  });

  test('steps double up to a limit and never come together', () => {
    expect(backoffMs(1, 1, 100, 1000)).toBe(100);
    expect(backoffMs(3, 1, 100, 1000)).toBe(400);
    expect(backoffMs(9, 1, 100, 1000)).toBe(1000);
    expect(backoffMs(9, 0, 100, 1000)).toBe(500);
  });
});
