// What the app does under the finger and the keyboard, over the played service: nothing here is about sound.
// `node test/browser/behaviour.mjs [part of a name]` after a build.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { answerOffer, install, playSocket, problem, serve } from './mock.mjs';
import { cards, hands, ME, me, person, room } from './people.mjs';

const PORT = Number(process.env.PORT ?? 4191);
const PHONE = { width: 390, height: 844 };
const speaker = { room: room({}, { role: 'speaker', muted: true }) };
const moderator = { room: room({ my_role: 'moderator', hands, hand_count: 3 }, { role: 'moderator', muted: true }) };

async function enter(page) {
  await page.goto('/');
  await page.locator('.card').first().click();
  await page.locator('.listener').first().waitFor();
}
/** Waits until the page says so; a wrong page fails by the tool's own limit. */
const sees = (page, selector) => page.locator(selector).first().waitFor();
const gone = (page, selector) => page.locator(selector).first().waitFor({ state: 'detached' });

async function until(holds) {
  const limit = Date.now() + 30_000;
  while (!(await holds())) {
    await new Promise((done) => setTimeout(done, 20));
    assert.ok(Date.now() < limit, 'it did not come to be within 30 s');
  }
}

const joined = { session: 's1', sdp: 'answer', room: speaker.room, resume_token: 't', resumed: false };
/** Answers the browser's question. */
const allow = (page) => page.evaluate(() => window.dispatchEvent(new Event('allow')));

/** A stream of 50 packets a second that sends none for so long has stopped. */
const SILENT_MS = 300;

/** Answers a request when the returned function is called. */
function held(service, key, body) {
  let release;
  const released = new Promise((resolve) => {
    release = resolve;
  });
  service.answer(key, async () => {
    await released;
    return { body };
  });
  return release;
}

const atRest = (page) =>
  page.waitForFunction(() =>
    document
      .getAnimations()
      .every((motion) => motion.playState !== 'running' || motion.effect?.getTiming().iterations === Infinity),
  );

const waiting = me({
  standing: 'waiting',
  ticket: { number: 48213, ahead: 1204 },
  profile: { ...me().profile, handle: null, name: '', bio: '' },
});

const tests = {
  async 'escape minimises, the mini-player opens again, back closes the sheet'(page) {
    await enter(page);
    assert.match(page.url(), /\/r\/eur1$/);
    await page.keyboard.press('Escape');
    await sees(page, '.mini');
    assert.equal(new URL(page.url()).pathname, '/');
    await page.locator('.mini-main').click();
    await sees(page, '.room[data-role=listener]');
    await page.goBack();
    await sees(page, '.mini');
  },

  async 'H raises and lowers the hand at once, L leaves'(page, service) {
    const answerRaise = held(service, 'PUT /v1/rooms/*/hand', { pending: false });
    await enter(page);
    await page.keyboard.press('h');
    await sees(page, '.bar-note');
    await page.keyboard.press('h');
    await gone(page, '.bar-note');
    // In the order of the presses, though the second shows before the first is answered.
    assert.ok(!service.requests.includes('DELETE /v1/rooms/eur1/hand'));
    answerRaise();
    await service.asked('DELETE /v1/rooms/eur1/hand');
    await page.keyboard.press('l');
    await gone(page, '.room');
    await service.asked('POST /v1/rooms/eur1/leave');
    await until(async () => new URL(page.url()).pathname === '/');
    assert.ok(!(await page.evaluate(() => history.state?.inside)), 'Back leads out of the app, not to it again');
  },

  async 'who leaves and comes back in one breath is in the room'(page) {
    await enter(page);
    await page.evaluate(async () => {
      document.querySelector('.room .leave').click();
      // The page shows the hallway at once; the browser is still on its way back.
      for (let turns = 0; turns < 1_000 && document.querySelector('.places[inert]'); turns++) await null;
      document.querySelector('.card').click();
    });
    await page.waitForURL('**/r/eur1');
    await page.locator('.listener').first().waitFor();
  },

  async 'a leave that is late takes nobody out of the room that they came back to'(page, service) {
    const answerLeave = held(service, 'POST /v1/rooms/*/leave', {});
    await enter(page);
    const joins = () => service.requests.filter((request) => /^POST .*eur1\/join/.test(request)).length;
    await page.keyboard.press('l');
    await service.asked('POST /v1/rooms/eur1/leave');
    await until(async () => new URL(page.url()).pathname === '/');
    await page.locator('.card').first().click();
    // By then a join that did not wait has been noted.
    await page.waitForURL('**/r/eur1');
    await page.evaluate(() => fetch('/v1/me'));
    assert.equal(joins(), 1, 'the leave goes first');
    answerLeave();
    await until(() => joins() === 2);
    await page.locator('.listener').first().waitFor();
  },

  async 'a refused hand comes down again, with the reason'(page, service) {
    service.answer('PUT /v1/rooms/*/hand', problem(409, 'hands_full'));
    await enter(page);
    await page.keyboard.press('h');
    await sees(page, '.toast');
    await gone(page, '.bar-note');
    assert.match(await page.locator('.toast').textContent(), /queue is full/);
  },

  async 'M opens the microphone and closes it; a moderator closes it too'(page, service) {
    await enter(page);
    await page.keyboard.press('m');
    const mine = page.locator(`[data-person=${ME.id}]`).first();
    await sees(page, `[data-person=${ME.id}][data-muted=false]`);
    await page.waitForFunction(() => window.__peer.sending());
    const member = { ...speaker.room.stage.find((other) => other.person.id === ME.id), muted: false };
    service.tell({ type: 'room', room: 'eur1', seq: 11, change: { change: 'stage', member } });
    service.tell({
      type: 'room',
      room: 'eur1',
      seq: 12,
      change: { change: 'stage', member: { ...member, muted: true } },
    });
    await sees(page, `[data-person=${ME.id}][data-muted=true]`);
    await sees(page, '.toast');
    await page.waitForFunction(() => !window.__peer.sending());
    assert.equal(await mine.getAttribute('data-muted'), 'true');
  },

  async 'keys typed into a field do nothing else'(page) {
    await enter(page);
    await page.locator('.room-actions .icon-button').first().click();
    await page.locator('dialog input').first().fill('');
    await page.keyboard.type('l h m');
    await sees(page, 'dialog[open]');
    assert.equal(await page.locator('dialog input').first().inputValue(), 'l h m');
  },

  async 'a dialog takes the focus, Escape closes only it, and the focus goes back'(page) {
    await enter(page);
    const opener = page.locator('.member').first();
    await opener.focus();
    await page.keyboard.press('Enter');
    await sees(page, 'dialog[open]');
    assert.equal(await page.evaluate(() => document.activeElement?.closest('dialog') !== null), true);
    await page.keyboard.press('Escape');
    await gone(page, 'dialog');
    await sees(page, '.room');
    assert.equal(await opener.evaluate((element) => element === document.activeElement), true);
  },

  async 'what is said in passing reaches eye, finger and ear through an open dialog'(page, service) {
    service.answer('POST /v1/rooms/*/hands/*', problem(409, 'stage_full'));
    await enter(page);
    await page.locator('.room-bar .icon-button').last().click();
    await page.locator('dialog .row-actions .live').first().click();
    await sees(page, '.toast');
    assert.match(await page.locator('.toast').textContent(), /stage is full/);
    await atRest(page);
    const reached = () =>
      page.evaluate(() => {
        const box = document.querySelector('.toast').getBoundingClientRect();
        return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).closest('.toast') !== null;
      });
    assert.equal(await reached(), true);
    await page.locator('.toast .icon-button').click();
    await gone(page, '.toast');
    service.tell({
      type: 'room',
      room: 'eur1',
      seq: 11,
      change: {
        change: 'stage',
        member: { person: person('ken'), number: 10, role: 'speaker', muted: true, away: false },
      },
    });
    await page
      .locator('dialog [aria-live]')
      .filter({ hasText: 'Ken Watanabe is on stage' })
      .waitFor({ state: 'attached' });
    await page.keyboard.press('Escape');
    await gone(page, 'dialog');
  },

  async 'a swipe down on its head puts the room away'(page, _, context) {
    await enter(page);
    const touch = await context.newCDPSession(page);
    const finger = (type, y) =>
      touch.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x: 190, y }] });
    await finger('touchStart', 20);
    for (let y = 40; y <= 200; y += 20) await finger('touchMove', y);
    await finger('touchEnd');
    await sees(page, '.mini');
  },

  async 'a new place begins at its top'(page) {
    await page.setViewportSize({ width: 390, height: 400 });
    await page.goto('/');
    await sees(page, '.card');
    await page.evaluate(() => scrollTo(0, 200));
    await page.waitForFunction(() => scrollY > 100);
    await page.locator('.tabs a').nth(2).click();
    await sees(page, '.profile-head');
    assert.equal(await page.evaluate(() => scrollY), 0);
  },

  async 'a server that is away is not stormed'(page, service) {
    await enter(page);
    const opened = service.refuse();
    await until(() => opened.length === 4);
    // The first four steps of the back-off, each at least its half: timers may be late, never early.
    assert.ok(opened[3] - opened[0] > 1_500, `four tries within ${opened[3] - opened[0]} ms`);
    await sees(page, '.banner');
  },

  async 'a gap is asked for from the last change'(page, service) {
    await enter(page);
    service.tell({ type: 'room', room: 'eur1', seq: 15, change: { change: 'audience', audience_count: 5 } });
    await service.heard((message) => message.type === 'watch' && message.after === 10 && message.room === 'eur1', 2);
  },

  async 'a reload comes back to the room by itself, also when it was minimised'(page, service) {
    const tokens = [];
    service.answer('POST /v1/rooms/*/join', (request) => {
      tokens.push(request.postDataJSON().resume_token);
      return { body: { ...joined, room: room(), resume_token: `t${tokens.length}`, resumed: true } };
    });
    await enter(page);
    await page.reload();
    await sees(page, '.room[data-connection=live]');
    await page.keyboard.press('Escape');
    await sees(page, '.mini');
    await page.reload();
    await sees(page, '.mini');
    await until(() => tokens.length === 3);
    assert.deepEqual(tokens, [undefined, 't1', 't2']);
  },

  async 'the microphone is let go when the person steps back'(page, service) {
    await enter(page);
    await page.keyboard.press('m');
    await sees(page, `[data-person=${ME.id}][data-muted=false]`);
    service.tell({ type: 'room', room: 'eur1', seq: 11, change: { change: 'unstaged', person: ME } });
    await sees(page, '.room[data-role=listener]');
    await page.waitForFunction(() => window.__tracks.every((track) => track.readyState === 'ended'));
  },

  async 'who accepts is coming on stage until they are there, and the focus stays on the button'(page, service) {
    const release = held(service, 'POST /v1/rooms/*/stage', { pending: false });
    await enter(page);
    const main = page.locator('.bar-main .wide');
    await main.focus();
    await page.keyboard.press('Enter');
    await main.filter({ hasText: 'Coming on stage' }).waitFor();
    release();
    await service.asked('POST /v1/rooms/eur1/stage');
    const words = await main.evaluate((button) => {
      window.__words = [button.textContent];
      new MutationObserver(() => window.__words.push(button.textContent)).observe(button, {
        childList: true,
        subtree: true,
        characterData: true,
      });
    });
    assert.equal(words, undefined);
    service.tell({ type: 'room', room: 'eur1', seq: 11, change: { change: 'stage_invitation', invited: false } });
    const member = { person: ME, number: 9, role: 'speaker', muted: true, away: false };
    service.tell({ type: 'room', room: 'eur1', seq: 12, change: { change: 'stage', member } });
    await main.filter({ hasText: 'Unmute' }).waitFor();
    assert.ok(!(await page.evaluate(() => window.__words.some((text) => /Raise/.test(text)))));
    assert.equal(await main.evaluate((element) => element === document.activeElement), true);
  },

  async 'a hallway that was read further down stays so when it changes'(page, service) {
    const rooms = (from) => Array.from({ length: 20 }, (_, n) => ({ ...cards()[0], id: `eur${from + n}` }));
    service.answer('GET /v1/hallway', (request) =>
      new URL(request.url()).searchParams.has('cursor')
        ? { body: { items: rooms(20) } }
        : { body: { items: rooms(0), next_cursor: 'more' } },
    );
    await page.goto('/');
    // The place asks for it, and once more when the socket opens.
    await service.asked('GET /v1/hallway', 2);
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.locator('.card').nth(39).waitFor();
    service.requests.length = 0;
    service.tell({ type: 'hallway' });
    await service.asked('GET /v1/hallway', 2);
    await page.locator('.card').nth(39).waitFor();
    service.answer('GET /v1/hallway', (request) => {
      assert.ok(!new URL(request.url()).searchParams.has('cursor'));
      return { body: { items: rooms(0) } };
    });
    service.tell({ type: 'hallway' });
    await page.locator('.card').nth(20).waitFor({ state: 'detached' });
  },

  async 'what was typed into the profile is still there after one is let in'(page, service) {
    await page.goto('/you/edit');
    await page.getByLabel('Name', { exact: true }).fill('Priya R');
    await page.getByLabel('About you').fill('Pumps and valves');
    service.tell({ type: 'me', me: { ...waiting, standing: 'active' } });
    await page.getByRole('button', { name: 'Come in' }).waitFor();
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Priya R');
    await page.getByLabel('Handle', { exact: true }).fill('priya');
    const account = me({ profile: { ...me().profile, name: 'Priya R', bio: '' } });
    service.answer('PUT /v1/me/handle', { body: account });
    service.answer('PATCH /v1/me/profile', { body: account });
    await page.getByRole('button', { name: 'Come in' }).click();
    await page.getByRole('button', { name: 'Save' }).waitFor();
    assert.equal(await page.getByLabel('About you').inputValue(), 'Pumps and valves');
    await page.locator('.tabs a').nth(2).click();
    await sees(page, '.card-link');
    await page.locator('a[href="/you/edit"]').first().click();
    assert.equal(await page.getByLabel('About you').inputValue(), '');
  },

  async 'who muted without a network and loads the page anew stays silent'(page, service) {
    const stage = room({}, { role: 'speaker', muted: false });
    service.answer('POST /v1/rooms/*/join', { body: { ...joined, room: stage, resumed: true } });
    service.answer('PUT /v1/rooms/*/mute', 'abort');
    await enter(page);
    await page.waitForFunction(() => window.__peer.sending());
    await page.keyboard.press('m');
    await sees(page, `.member[data-person=${ME.id}][data-muted=true]`);
    await service.asked('PUT /v1/rooms/eur1/mute');
    await page.reload();
    const told = service.asked('PUT /v1/rooms/eur1/mute', 1 + service.requests.filter((it) => /mute/.test(it)).length);
    await sees(page, '.room[data-connection=live]');
    await sees(page, `.member[data-person=${ME.id}][data-muted=true]`);
    await told;
    assert.equal(await page.evaluate(() => window.__asked), undefined, 'no microphone was opened');
  },

  async 'answering hands by keyboard goes on to the next one, and ends at the way out'(page) {
    await enter(page);
    await page.locator('.room-bar .icon-button').last().click();
    const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.ariaLabel);
    await page.locator('dialog .row-actions .live').first().focus();
    for (const next of [/Invite 李华/, /Invite Sam/, /Close/]) {
      await page.keyboard.press('Enter');
      await until(async () => next.test(await focused()));
    }
    await sees(page, 'dialog .empty');
  },

  async 'a service that pushes nothing offers nothing'(page) {
    await page.goto('/settings');
    await page.getByText('This service does not send any.').waitFor();
    assert.equal(await page.getByRole('switch', { name: /On this device|Quiet hours/ }).count(), 0);
  },

  async 'single keys can be switched off'(page, service) {
    await page.goto('/settings');
    await page.getByRole('switch', { name: /Keyboard shortcuts/ }).click();
    await page.locator('.tabs a').first().click();
    await page.locator('.card').first().click();
    await page.locator('.listener').first().waitFor();
    await page.keyboard.press('l');
    await page.keyboard.press('h');
    await page.keyboard.press('Escape');
    await sees(page, '.mini');
    assert.ok(!service.requests.some((request) => /hand|leave/.test(request)));
  },

  async 'a microphone that is allowed after one has left is let go at once'(page) {
    await enter(page);
    await page.keyboard.press('m');
    await page.waitForFunction(() => window.__asked === 1);
    await page.keyboard.press('l');
    await gone(page, '.room');
    await allow(page);
    await page.waitForFunction(() => window.__tracks?.length === 1 && window.__tracks[0].readyState === 'ended');
    assert.equal(await page.evaluate(() => window.__peer.sending()), false);
  },

  async 'a microphone that was asked for in one room opens nothing in the next'(page, service) {
    await enter(page);
    await page.keyboard.press('m');
    await page.waitForFunction(() => window.__asked === 1);
    service.answer('POST /v1/rooms/*/join', { body: { ...joined, room: { ...speaker.room, id: 'eur2' } } });
    await page.keyboard.press('Escape');
    await page.locator('.card').nth(1).click();
    await sees(page, '.room[data-role=speaker][data-connection=live]');
    await allow(page);
    await page.waitForFunction(() => window.__tracks?.length === 1 && window.__tracks[0].readyState === 'ended');
    assert.equal(await page.locator(`.member[data-person=${ME.id}]`).getAttribute('data-muted'), 'true');
    assert.equal(await page.evaluate(() => window.__peer.sending()), false);
  },

  async 'who leaves while they join is not left behind as a ghost'(page, service) {
    const answerJoin = held(service, 'POST /v1/rooms/*/join', joined);
    await page.goto('/');
    await page.locator('.card').first().click();
    await service.asked('POST /v1/rooms/eur1/join');
    await page.locator('.room-wait button').click();
    await gone(page, '.room');
    assert.ok(!service.requests.includes('POST /v1/rooms/eur1/leave'));
    answerJoin();
    await service.asked('POST /v1/rooms/eur1/leave');
  },

  async 'who moves here from another device starts muted, and nobody is blamed'(page, service) {
    const mine = { ...speaker.room.stage.find((other) => other.person.id === ME.id), muted: false };
    const stage = speaker.room.stage.map((other) => (other.person.id === ME.id ? mine : other));
    service.answer('POST /v1/rooms/*/join', { body: { ...joined, room: { ...speaker.room, stage } } });
    await enter(page);
    await sees(page, `.member[data-person=${ME.id}][data-muted=true]`);
    await page.locator('.toast').filter({ hasText: 'You are muted here' }).waitFor();
    const change = { change: 'stage', member: { ...mine, muted: true } };
    service.tell({ type: 'room', room: 'eur1', seq: 11, change });
    service.tell({ type: 'room', room: 'eur1', seq: 12, change: { change: 'audience', audience_count: 77 } });
    await page.locator('.audience h2').filter({ hasText: '77' }).waitFor();
    assert.equal(await page.locator('.toast').filter({ hasText: 'moderator' }).count(), 0);
    assert.equal(await page.evaluate(() => window.__asked), undefined);
  },

  async 'a watch that the service was too busy for is asked for again'(page, service) {
    await enter(page);
    await service.heard((message) => message.type === 'watch');
    service.tell({ type: 'problem', problem: problem(503, 'overloaded').body });
    await service.heard((message) => message.type === 'watch' && message.after === 10, 2);
  },

  async 'signing out in one tab signs out the others, and what they showed is gone'(page, service, context) {
    await page.goto('/notices');
    await sees(page, '.person-row');
    const other = await context.newPage();
    await install(other, { theme: 'light' });
    await other.goto('/settings');
    await other.locator('.button.wide').last().click();
    await sees(other, 'input[name=phone]');
    await sees(page, 'input[name=phone]');
    assert.ok(service.requests.length > 0);
  },

  async 'nobody is stuck with an account that is suspended or cannot be reached'(page, service) {
    service.answer('GET /v1/me', 'abort');
    service.answer('POST /v1/auth/sign-out', 'hang');
    await page.goto('/');
    await sees(page, '.empty');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await sees(page, 'input[name=phone]');
  },

  async 'M pressed twice while the browser asks opens one microphone'(page) {
    await enter(page);
    await page.keyboard.press('m');
    await page.waitForFunction(() => window.__asked === 1);
    await page.keyboard.press('m');
    await allow(page);
    await sees(page, `[data-person=${ME.id}][data-muted=false]`);
    await page.waitForFunction(() => window.__peer.sending());
    assert.equal(await page.evaluate(() => window.__asked), 1);
  },

  async 'a microphone test that was walked away from lets the microphone go'(page) {
    await page.goto('/settings');
    await page.locator('.mic-test button').click();
    await page.waitForFunction(() => window.__asked === 1);
    await page.locator('.page-head .icon-button').first().click();
    await gone(page, '.mic-test');
    await allow(page);
    await page.waitForFunction(() => window.__tracks?.length === 1 && window.__tracks[0].readyState === 'ended');
  },

  async 'what is yours is taken along as a file'(page, service) {
    await page.goto('/settings');
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('.button', { hasText: 'Export my data' }).click(),
    ]);
    assert.equal(file.suggestedFilename(), 'mitalk-data.zip');
    assert.ok(service.requests.includes('GET /v1/me/export'));
  },

  async 'an account is deleted only when that was confirmed, and can be kept from any screen'(page, service) {
    await page.goto('/settings');
    const ask = page.locator('.form .button', { hasText: 'Delete account' });
    await ask.click();
    await page.locator('dialog .button', { hasText: 'Cancel' }).click();
    await gone(page, 'dialog');
    assert.ok(!service.requests.some((request) => /deletion/.test(request)));
    await ask.click();
    await page.locator('dialog .button.danger').click();
    await gone(page, 'dialog');
    await page.locator('.banners', { hasText: 'Jan 15, 2027' }).waitFor();
    await page.locator('.tabs a[href="/"]').click();
    await sees(page, '.card');
    await page.locator('.banners .button').click();
    await gone(page, '.banners');
    assert.ok(service.requests.includes('DELETE /v1/me/deletion'));
  },

  async 'a number is changed by both codes, and a wrong one can be mended'(page, service) {
    await page.goto('/settings');
    await page.locator('.form .button', { hasText: 'Change number' }).click();
    await page.locator('dialog input').fill('+49 151 2345678');
    await page.locator('dialog [type=submit]').click();
    await service.asked('POST /v1/me/number/code', 2);
    service.answer('PUT /v1/me/number', problem(401, 'code_wrong'));
    await page.locator('dialog input').first().fill('123456');
    await page.locator('dialog input').nth(1).fill('654321');
    await page.locator('dialog [type=submit]').click();
    await sees(page, 'dialog [role=alert]');
    service.answer('PUT /v1/me/number', { body: me() });
    await page.locator('dialog [type=submit]').click();
    await gone(page, 'dialog');
  },

  async 'a real connection: slots play, the microphone is sent and stopped without renegotiation'(page, service) {
    const answer = async (request) => ({
      body: { ...joined, sdp: await page.evaluate(answerOffer, request.postDataJSON().sdp) },
    });
    service.answer('POST /v1/rooms/*/join', answer);
    await enter(page);
    await sees(page, '.room[data-connection=live]');
    await page.waitForFunction(
      () =>
        [...document.querySelectorAll('audio')].filter((audio) => !audio.paused && audio.currentTime > 0).length === 3,
    );
    const received = () =>
      page.evaluate(async () => {
        const all = [...(await window.__far.getStats()).values()];
        return all
          .filter((entry) => entry.type === 'inbound-rtp')
          .reduce((sum, entry) => sum + entry.packetsReceived, 0);
      });
    assert.equal(await received(), 0);
    await page.keyboard.press('m');
    await until(async () => (await received()) > 20);
    await page.keyboard.press('m');
    await sees(page, `[data-person=${ME.id}][data-muted=true]`);
    let last = { packets: -1, at_ms: 0 };
    await until(async () => {
      const packets = await received();
      if (packets !== last.packets) last = { packets, at_ms: performance.now() };
      return performance.now() - last.at_ms > SILENT_MS;
    });
    assert.equal(await page.evaluate(() => window.__far.signalingState), 'stable');
  },

  async 'sound that the browser blocks is turned on by a tap'(page, service, context) {
    // Whatever the tool itself runs in a page counts as a tap: until there is one, it keeps out.
    await page.addInitScript(playSocket, me());
    const session = await context.newCDPSession(page);
    service.answer('POST /v1/rooms/*/join', async (request) => {
      const expression = `(${answerOffer})(${JSON.stringify(request.postDataJSON().sdp)})`;
      const { result } = await session.send('Runtime.evaluate', {
        expression,
        awaitPromise: true,
        returnByValue: true,
        userGesture: false,
      });
      return { body: { ...joined, sdp: result.value } };
    });
    // A page that was loaded anew comes back to its room without a tap.
    await page.addInitScript(() => {
      const resume = { room: 'eur1', token: 't0', at_ms: Date.now() };
      sessionStorage.setItem('mitalk.resume', JSON.stringify(resume));
      const look = setInterval(() => {
        const attached = [...document.querySelectorAll('audio')].filter((audio) => audio.srcObject?.getTracks().length);
        if (attached.length < 3 || !document.querySelector('.room[data-connection=live] .banner .button')) return;
        clearInterval(look);
        window.attached(attached.map((audio) => audio.paused));
      }, 20);
    });
    let paused;
    await page.exposeBinding('attached', (_, all) => {
      paused = all;
    });
    await page.goto('/r/eur1');
    await until(() => paused);
    assert.deepEqual(paused, [true, true, true]);
    await page.getByRole('button', { name: 'Turn on sound' }).click();
    await page.evaluate(() => window.__farContext.resume());
    await page.waitForFunction(
      () =>
        [...document.querySelectorAll('audio')].filter((audio) => !audio.paused && audio.currentTime > 0).length === 3,
    );
    await page.getByRole('button', { name: 'Turn on sound' }).waitFor({ state: 'detached' });
  },

  async 'the shell is replaced by a new version when nothing is lost by it'(page) {
    await page.goto('/');
    await sees(page, '.card');
    await page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state);
    await page.reload();
    await enter(page);
    server.upgrade('0123456789ab');
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      await registration.update();
    });
    const waits = async () => (await navigator.serviceWorker.getRegistration()).waiting !== null;
    await until(() => page.evaluate(waits));
    const isNew = () => page.evaluate(() => document.querySelector('meta[name=version]') !== null);
    await page.keyboard.press('Escape');
    await page.locator('.tabs a').nth(1).click();
    await sees(page, '.card-link');
    await sees(page, '.mini');
    assert.equal(await isNew(), false, 'nobody is torn out of a room');
    await page.locator('.mini .leave').click();
    await gone(page, '.mini');
    // Whoever is still being signed off from the room is not torn out either: the place after that will do.
    let turn = 0;
    await until(async () => {
      if (await isNew().catch(() => false)) return true;
      await page
        .locator('.tabs a')
        .nth(turn)
        .click({ timeout: 1_000 })
        .catch(() => {});
      turn = 1 - turn;
      return false;
    });
    const kept = () => page.evaluate(() => caches.keys()).catch(() => []);
    await until(async () => (await kept()).join() === 'mitalk-0123456789ab');
    server.upgrade(undefined);
  },

  async 'the shell opens without a network, and says that there is none'(page, _, context) {
    await page.goto('/');
    await sees(page, '.card');
    await page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state);
    await page.reload();
    await sees(page, '.card');
    await context.setOffline(true);
    await page.unrouteAll();
    await page.route('**/v1/**', (route) => route.abort());
    await page.reload();
    await sees(page, '.empty');
    assert.match(await page.locator('h1').textContent(), /No connection/);
  },
};

const asking = { ...speaker, microphone: 'held' };
const scenario = {
  'a service that pushes nothing offers nothing': { pushOff: true },
  'sound that the browser blocks is turned on by a tap': { realPeer: true },
  'answering hands by keyboard goes on to the next one, and ends at the way out': moderator,
  'what was typed into the profile is still there after one is let in': { me: waiting },
  'who accepts is coming on stage until they are there, and the focus stays on the button': {
    room: room({ invited_to_stage: true }),
  },
  'a microphone that is allowed after one has left is let go at once': asking,
  'a microphone that was asked for in one room opens nothing in the next': asking,
  'M pressed twice while the browser asks opens one microphone': asking,
  'a microphone test that was walked away from lets the microphone go': asking,
  'M opens the microphone and closes it; a moderator closes it too': speaker,
  'a real connection: slots play, the microphone is sent and stopped without renegotiation': {
    ...speaker,
    realPeer: true,
  },
  'the microphone is let go when the person steps back': speaker,
  'what is said in passing reaches eye, finger and ear through an open dialog': moderator,
  'keys typed into a field do nothing else': moderator,
  'a dialog takes the focus, Escape closes only it, and the focus goes back': moderator,
};

const server = await serve(PORT);
const launch = (...more) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream', '--no-first-run', ...more],
  });
const browser = await launch('--autoplay-policy=no-user-gesture-required');
/** As people have it: sound waits for a tap. */
const shy = await launch('--autoplay-policy=document-user-activation-required');
let failed = 0;
const wanted = process.argv[2] ?? '';
for (const [name, run] of Object.entries(tests)) {
  if (!name.includes(wanted)) continue;
  const shell = name.startsWith('the shell');
  const context = await (name.startsWith('sound') ? shy : browser).newContext({
    baseURL: `http://127.0.0.1:${PORT}`,
    viewport: PHONE,
    hasTouch: true,
    serviceWorkers: shell ? 'allow' : 'block',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  try {
    const service = await install(page, { theme: 'light', ...scenario[name] });
    await run(page, service, context);
    process.stdout.write(`ok   ${name}\n`);
  } catch (error) {
    failed++;
    process.stdout.write(`FAIL ${name}\n${error.stack}\n`);
  }
  await context.close();
}
await browser.close();
await shy.close();
server.close();
process.exitCode = failed ? 1 : 0;
