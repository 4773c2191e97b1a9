// A closed room: shut to those who only know its address, open to those who have its link.

import assert from 'node:assert/strict';
import { Person } from './lib/person.mjs';
import { scene, useWorld } from './lib/world.mjs';

const world = useWorld();
const SHUT = 'This room is for people with its link or a ping.';

scene(world, 'a shared link opens a closed room, until it is renewed', async () => {
  const host = await Person.inside(world, 'Livia', { hz: 440 });
  const guest = await Person.inside(world, 'Milo', { hz: 550 });
  const late = await Person.inside(world, 'Nele', { hz: 660 });
  const title = 'Behind the door';
  await host.startRoom(title, { visibility: 'People with the link or a ping' });

  await guest.open(host.room);
  await guest.sees(SHUT);
  const link = await host.shares('Share the room');
  assert.ok(new URL(link).hash.length > 8, `${link} has no key`);
  await guest.open('/');
  await guest.page.goto(link);
  await guest.press('Listen in');
  await guest.inRoom(title);
  await guest.hears(host);

  // The key outlives a reload, leaving, and what is behind the address when one comes again.
  await guest.press('Leave');
  await guest.inHallway();
  await guest.open(host.room);
  await guest.press('Listen in');
  await guest.hears(host);

  // Somebody who has to sign up first comes to the room as well.
  const stranger = await Person.open(world, 'Oona');
  await world.server.allow(stranger.phone);
  await stranger.signUp(link.slice(world.server.url.length));
  await stranger.nameYourself();
  await stranger.press('Listen in');
  await stranger.inRoom(title);
  await stranger.hears(host);

  await host.press('Room settings');
  await host.press('Make a new link');
  await host.sees('The link that was shared so far opens nothing any more.');
  await host.closeDialog();
  await late.page.goto(link);
  await late.sees(SHUT);
  const renewed = await host.shares('Share the room');
  assert.notEqual(renewed, link);
  await late.open('/');
  await late.page.goto(renewed);
  await late.press('Listen in');
  await late.hears(host);
});

scene(world, 'everybody in the queue sees their own place move', async () => {
  const host = await Person.inside(world, 'Pavel');
  const [first, second] = [await Person.inside(world, 'Quirin'), await Person.inside(world, 'Runa')];
  await host.startRoom('Queue');
  await first.enter('Queue');
  await second.enter('Queue');
  await first.raiseHand();
  await second.raiseHand();
  await second.sees('You are number 2 in the queue.');
  const asked = [];
  second.page.on('request', request => asked.push(request.method() + ' ' + new URL(request.url()).pathname));
  await first.press('Lower hand');
  await second.sees('You are number 1 in the queue.');
  assert.ok(!asked.includes(`GET /v1${host.room.replace('/r/', '/rooms/')}`), 'without asking');
});
