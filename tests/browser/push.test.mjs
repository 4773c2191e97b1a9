// Web Push: switched on in the settings, sent by the real server to a push service of the test's own, decrypted as a
// browser does, handed to the real service worker, and shown by Chromium.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Person } from './lib/person.mjs';
import { deliver, PushService, shown, subscribesAt } from './lib/push.mjs';
import { look } from './lib/screens.mjs';
import { until } from './lib/wait.mjs';
import { scene, useWorld } from './lib/world.mjs';

const push = await PushService.start();
const world = useWorld({ set: { 'push.services': `["${push.origin}"]` } });
after(() => push.close());

/** Of the origin, and not the app: it has no live socket. */
const NOT_THE_APP = '/icon-192.png';

/** Asks the API as somebody who is signed in. */
const as = (person, method, path) => person.page.evaluate(async ([method, path]) => {
  const { access } = JSON.parse(localStorage.getItem('mitalk.tokens'));
  const answer = await fetch(path, { method, headers: { authorization: `Bearer ${access}` } });
  return answer.status === 204 ? null : answer.json();
}, [method, path]);

scene(world, 'somebody who is away is told by the system, once, and a tap leads there', async () => {
  const ann = await Person.inside(world, 'Ann');
  const ben = await Person.inside(world, 'Ben');
  await subscribesAt(ann.page, push);
  await ann.page.context().grantPermissions(['notifications', 'microphone']);
  await ann.page.evaluate(() => navigator.serviceWorker.ready);
  await ann.open('/settings');
  const here = ann.page.getByRole('switch', { name: 'On this device' });
  assert.equal(await here.isChecked(), false, 'nobody is asked for anything before they press');
  await here.click();
  await until(async () => (await as(ann, 'GET', '/v1/me/devices')).devices[0].push_service, { what: 'the subscription' });
  await until(() => here.isChecked(), { what: 'the switch to say so' });
  const quiet = ann.page.getByRole('switch', { name: 'Quiet hours' });
  await quiet.click();
  // With nothing half under the tabs, which counts as a target that is too small.
  await ann.page.getByLabel('From').evaluate(field => field.scrollIntoView({ block: 'start' }));
  const kept = await until(async () => {
    const settings = await as(ann, 'GET', '/v1/me/notice-settings');
    return settings.quiet && settings;
  }, { what: 'the quiet hours' });
  assert.deepEqual([kept.quiet.from_minute, kept.quiet.to_minute], [22 * 60, 7 * 60]);
  await look(ann, 'settings-notifications');
  await quiet.click();
  await until(async () => !(await as(ann, 'GET', '/v1/me/notice-settings')).quiet, { what: 'no quiet hours' });

  // She follows him and goes away; he starts a room.
  const him = await as(ben, 'GET', '/v1/me');
  await as(ann, 'PUT', `/v1/users/${him.id}/follow`);
  await until(async () => (await as(ann, 'GET', `/v1/users/${him.id}`)).followers === 1, { what: 'the follow' });
  await ann.open(NOT_THE_APP);
  await ben.startRoom('Bridges');

  const data = await push.nth(1);
  const said = JSON.parse(data);
  await deliver(ann.page, data);
  const first = await until(async () => (await shown(ann.page))[0], { what: 'the notification' });
  assert.deepEqual(first, {
    title: 'Ben started “Bridges”.', body: '', tag: said.tag, data: ben.room, lang: 'en', rings: true,
  });
  // The push service, or the server after a crash, says it again; and then something else.
  await deliver(ann.page, data);
  await deliver(ann.page, JSON.stringify({ ...said, tag: 'user/other/1', kind: 'new_follower', count: 3, path: '/notices' }));
  const all = await until(async () => {
    const notifications = await shown(ann.page);
    return notifications.length > 1 && notifications;
  }, { what: 'the other notification' });
  assert.deepEqual(all.map(one => one.tag).sort(), [said.tag, 'user/other/1'].sort());
  assert.equal(all.find(one => one.tag !== said.tag).body, 'And 2 more');

  // A tap, said to the worker by itself: nothing here can touch what the system shows.
  await ann.open('/');
  await ann.inHallway();
  const [worker] = ann.page.context().serviceWorkers();
  const tapped = await worker.evaluate(async tag => {
    const [notification] = await self.registration.getNotifications({ tag });
    return notification && self.dispatchEvent(new NotificationEvent('notificationclick', { notification }));
  }, said.tag);
  assert.ok(tapped, 'it is shown still');
  await ann.page.waitForURL(`**${ben.room}`);
  await until(async () => (await shown(ann.page)).every(one => one.tag !== said.tag), { what: 'it to be put away' });
  await deliver(ann.page, data);
  const again = await until(async () => (await shown(ann.page)).find(one => one.tag === said.tag), { what: 'the repeat' });
  assert.equal(again.rings, false, 'what was put away does not ring again');
});

scene(world, 'who blocks notifications is told what to do, and signing out ends them', async () => {
  const cleo = await Person.inside(world, 'Cleo');
  await subscribesAt(cleo.page, push);
  await cleo.page.addInitScript(() => Object.defineProperty(Notification, 'permission', { get: () => 'denied' }));
  await cleo.open('/settings');
  await cleo.sees(/You have blocked them/);

  const dana = await Person.open(world, 'Dana');
  await subscribesAt(dana.page, push);
  await dana.page.context().grantPermissions(['notifications', 'microphone']);
  await dana.signUp();
  await dana.page.evaluate(() => navigator.serviceWorker.ready);
  await dana.press('Tell me when I am in');
  await dana.sees('We tell you on this device when you are in.');
  await dana.press('Sign out');
  await dana.field('Phone number').waitFor();
  assert.equal(await dana.page.evaluate(() => localStorage.getItem('mitalk.push')), null);
});
