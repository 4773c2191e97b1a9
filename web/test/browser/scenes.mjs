// Every screen and state that a person can come to, and how to come there.

import { problem } from './mock.mjs';
import { cards, hands, LATER, ME, me, person, room } from './people.mjs';

const inRoom = async (page) => {
  await page.goto('/r/eur1');
  await page.locator('.room-preview .button.live').click();
  await page.locator('.room[data-connection]').waitFor();
  await page.locator('.listener').first().waitFor();
};
const moderator = { my_role: 'moderator', hands, hand_count: 3 };
const at =
  (path, ready = 'h1') =>
  async (page) => {
    await page.goto(path);
    await page.locator(ready).first().waitFor();
  };

export const scenes = {
  'sign-in': { signedIn: false, go: at('/') },
  code: {
    signedIn: false,
    go: async (page) => {
      await page.goto('/');
      await page.locator('input[name=phone]').fill('+49 151 2345678');
      await page.locator('button[type=submit]').click();
      await page.locator('input[name=code]').fill('123456');
      await page.locator('[role=alert]:not(:empty)').waitFor();
    },
  },
  waiting: {
    me: me({
      standing: 'waiting',
      ticket: { number: 48213, ahead: 1204 },
      profile: { ...me().profile, handle: null, name: '' },
    }),
    go: at('/', '.place-in-line'),
  },
  setup: { me: me({ profile: { ...me().profile, handle: null, name: '', headline: '' } }), go: at('/') },
  'invite-link': { signedIn: false, go: at('/i/k3mv9q2x', '.welcome-card .portrait') },
  'invite-expired': {
    signedIn: false,
    answers: { 'GET /v1/invite-links/*': { body: { status: 'expired' } } },
    go: at('/i/zzzzzzzz', '.sign'),
  },
  'invite-overloaded': {
    signedIn: false,
    answers: { 'GET /v1/invite-links/*': problem(503, 'overloaded', { retry_after: 12 }) },
    go: at('/i/zzzzzzzz', '[role=alert]'),
  },
  hallway: { go: at('/', '.card') },
  'hallway-empty': { cards: [], go: at('/', '.empty') },
  'hallway-loading': { answers: { 'GET /v1/hallway': 'hang' }, go: at('/', '.spinner') },
  'hallway-overloaded': {
    answers: { 'GET /v1/hallway': problem(503, 'overloaded', { retry_after: 30 }) },
    go: at('/', '[role=alert]'),
  },
  unreachable: { answers: { 'GET /v1/me': 'abort' }, go: at('/', '[role=alert]') },
  'new-room': {
    go: async (page) => {
      await at('/new', '.choice')(page);
      await page.locator('input').first().fill('How we cut our cloud bill in half');
    },
  },
  'room-preview': { go: at('/r/eur1', '.room-preview') },
  'room-closed': { answers: { 'GET /v1/rooms/*': problem(403, 'room_social') }, go: at('/r/eur9', '.room .empty') },
  'room-preview-ended': {
    answers: { 'GET /v1/rooms/*': problem(410, 'room_ended') },
    go: at('/r/eur9', '.room .empty'),
  },
  room: { go: inRoom },
  'room-hand-up': {
    room: room({ my_hand: 4, hand_count: 4, hands: [{ person: ME, raised_at_ms: Date.now() }] }),
    go: inRoom,
  },
  'room-invited': { room: room({ invited_to_stage: true }), go: inRoom },
  'room-speaker': { room: room({}, { role: 'speaker', muted: false }), go: inRoom },
  'room-speaker-muted': { room: room({}, { role: 'speaker', muted: true }), go: inRoom },
  'room-moderator': { room: room(moderator, { role: 'moderator', muted: true }), go: inRoom },
  'room-hands': {
    room: room(moderator, { role: 'moderator', muted: true }),
    go: async (page) => {
      await inRoom(page);
      await page.locator('.room-bar .icon-button').last().click();
      await page.locator('dialog[open]').waitFor();
    },
  },
  'room-person': {
    room: room(moderator, { role: 'moderator', muted: true }),
    go: async (page) => {
      await inRoom(page);
      await page.locator(`[data-person=${person('ngozi').id}]`).click();
      await page.locator('dialog .offers').waitFor();
    },
  },
  'room-settings': {
    room: room(moderator, { role: 'moderator', muted: true }),
    go: async (page) => {
      await inRoom(page);
      await page.locator('.room-actions .icon-button').first().click();
      await page.locator('dialog[open]').waitFor();
    },
  },
  'room-mic-denied': {
    microphone: 'denied',
    room: room({}, { role: 'speaker', muted: true }),
    go: async (page) => {
      await inRoom(page);
      await page.locator('.bar-row .wide').click();
      await page.locator('.banner.warn').waitFor();
    },
  },
  'room-reconnecting': {
    answers: { 'POST /v1/rooms/*/sessions/*/ice': 'hang' },
    go: async (page) => {
      await inRoom(page);
      await page.evaluate(() => window.__peer.say('disconnected'));
      await page.locator('.banner.warn').waitFor();
    },
  },
  'room-ended': {
    go: async (page, live) => {
      await inRoom(page);
      live.tell({ type: 'left_room', room: 'eur1', why: 'ended' });
      await page.locator('.empty h1').waitFor();
    },
  },
  'room-removed': {
    go: async (page, live) => {
      await inRoom(page);
      live.tell({ type: 'left_room', room: 'eur1', why: 'removed' });
      await page.locator('.empty h1').waitFor();
    },
  },
  'room-moved': {
    go: async (page, live) => {
      await inRoom(page);
      live.tell({ type: 'left_room', room: 'eur1', why: 'moved_device' });
      await page.locator('.empty h1').waitFor();
    },
  },
  'room-banned': {
    go: async (page, live) => {
      await inRoom(page);
      live.tell({ type: 'left_room', room: 'eur1', why: 'banned' });
      await page.locator('.empty h1').waitFor();
    },
  },
  'room-no-sound': {
    go: async (page) => {
      await page.clock.install();
      await page.addInitScript(() => {
        window.__neverConnects = true;
      });
      await inRoom(page);
      await page.clock.fastForward(10_000);
      await page.locator('.banner.warn').waitFor();
    },
  },
  'room-sound-blocked': {
    go: async (page) => {
      await page.addInitScript(() => {
        HTMLMediaElement.prototype.play = async () => {
          throw new DOMException('', 'NotAllowedError');
        };
      });
      await inRoom(page);
      await page.locator('.banner .button').waitFor();
    },
  },
  'room-toast-over-dialog': {
    answers: { 'POST /v1/rooms/*/hands/*': problem(409, 'stage_full') },
    room: room(moderator, { role: 'moderator', muted: true }),
    go: async (page) => {
      await inRoom(page);
      await page.locator('.room-bar .icon-button').last().click();
      await page.locator('dialog .row-actions .live').first().click();
      await page.locator('dialog .toast').waitFor();
      await page.locator('dialog [aria-busy=true]').waitFor({ state: 'detached' });
    },
  },
  'room-coming': {
    room: room({ invited_to_stage: true }),
    answers: { 'POST /v1/rooms/*/stage': 'hang' },
    go: async (page) => {
      await inRoom(page);
      await page.locator('.bar-main .wide').click();
      await page.locator('.bar-main [aria-busy=true]').waitFor();
    },
  },
  suspended: { me: me({ standing: 'suspended' }), go: at('/', '.empty') },
  elsewhere: {
    go: async (page, live) => {
      await at('/', '.card')(page);
      live.close(4409);
      await page.locator('.empty').waitFor();
    },
  },
  'hallway-more-failed': {
    answers: {
      'GET /v1/hallway': (request) =>
        new URL(request.url()).searchParams.has('cursor')
          ? problem(500, 'internal')
          : { body: { items: cards(), next_cursor: 'more' } },
    },
    go: async (page) => {
      await at('/', '.card')(page);
      await page.locator('.cards ~ .button').click();
      await page.locator('[role=alert]').waitFor();
    },
  },
  'mini-player': {
    room: room({}, { role: 'speaker', muted: false }),
    go: async (page) => {
      await page.goto('/');
      await page.locator('.card').first().click();
      await page.locator('.listener').first().waitFor();
      await page.keyboard.press('Escape');
      await page.locator('.card').first().waitFor();
    },
  },
  people: { go: at('/people', '.person-row') },
  person: { go: at('/u/maya', '.offers') },
  you: { go: at('/you', '.card-link') },
  'edit-profile': { go: at('/you/edit', '.choice') },
  invites: { go: at('/invites', '.invite-row') },
  notices: { go: at('/notices', '.person-row') },
  settings: { go: at('/settings', '.invite-row') },
  'settings-quiet': {
    noticeSettings: {
      off: ['new_follower'],
      quiet: { from_minute: 22 * 60, to_minute: 7 * 60, zone: 'America/Argentina/Buenos_Aires' },
    },
    go: async (page) => {
      await at('/settings', 'input[type=time]')(page);
      await page
        .locator('input[type=time]')
        .first()
        .evaluate((field) => field.scrollIntoView({ block: 'start' }));
    },
  },
  'delete-account': {
    go: async (page) => {
      await at('/settings', '.invite-row')(page);
      await page.locator('.form .danger').click();
      await page.locator('dialog .danger').waitFor();
    },
  },
  'change-number': {
    go: async (page) => {
      await at('/settings', '.invite-row')(page);
      await page.locator('.form section .button', { hasText: /number|号码/ }).click();
      await page.locator('dialog input').first().fill('+49 151 2345678');
      await page.locator('dialog [type=submit]').click();
      await page.locator('dialog input').nth(1).waitFor();
    },
  },
  'settings-leaving': { me: me({ deletion_at_ms: LATER }), go: at('/settings', '.form .banner') },
  sunset: { service: { sunset_at_ms: Date.UTC(2099, 5, 30, 10) }, go: at('/', '.banners .banner') },
  'sunset-signed-out': {
    signedIn: false,
    service: { sunset_at_ms: Date.UTC(2099, 5, 30, 10) },
    go: at('/', '.banners .banner'),
  },
  missing: { go: at('/nothing/here', '.empty') },
};
