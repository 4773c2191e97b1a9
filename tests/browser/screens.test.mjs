// Every screen, light and dark, on a phone: kept as a picture, and checked for accessibility.

import { Person } from './lib/person.mjs';
import { glance, look } from './lib/screens.mjs';
import { scene, useWorld } from './lib/world.mjs';

const world = useWorld();

scene(world, 'the way in', async () => {
  const person = await Person.open(world, 'Amara');
  await person.open();
  await person.sees('Talk with people who know');
  await look(person, '01-sign-in');
  const code = await person.askForCode();
  await look(person, '02-code');
  await person.field('Code').fill(code);
  await person.sees('You are in line');
  await look(person, '03-waiting');
  await world.server.admin('POST', '/waitlist/admit', { count: 1 });
  await person.sees('What shall people call you?');
  await look(person, '04-name');
  await person.setUp();
  await look(person, '05-hallway-empty');
});

scene(world, 'rooms', async () => {
  const host = await Person.inside(world, 'Bianca', { hz: 440 });
  const guest = await Person.inside(world, 'Chidi', { hz: 550 });
  const others = [];
  for (const name of ['Dilara', 'Enzo']) others.push(await Person.inside(world, name));

  await host.press('Start a room');
  await host.field('What is it about?').fill('What batteries will cost in 2030');
  await look(host, '06-new-room');
  await host.press('Start the room');
  await host.inRoom('What batteries will cost in 2030');
  host.room = new URL(host.page.url()).pathname;
  await host.unmute();
  await look(guest, '07-hallway');

  await guest.open(host.room);
  await guest.sees('Listen in');
  await look(guest, '08-room-preview');
  await guest.press('Listen in');
  await guest.connected();
  for (const person of others) await person.enter('What batteries will cost in 2030');
  await guest.hears(host);
  await look(guest, '09-room-listening');

  await guest.raiseHand();
  await others[0].raiseHand();
  await look(guest, '10-hand-raised');
  await host.press(/raised hand/);
  await look(host, '11-hands-queue');
  await host.closeDialog();
  await host.acceptHand(guest);
  await guest.sees('Come on stage?');
  await look(guest, '12-stage-invitation');
  await guest.comeOnStage();
  await guest.unmute();
  await others[1].hears(host, guest);
  await look(guest, '13-room-on-stage');

  await host.roomPanel.getByRole('button', { name: /Chidi/ }).click();
  await host.page.getByRole('dialog', { name: 'Chidi' }).waitFor();
  await look(host, '14-person-in-room');
  await host.closeDialog();
  await host.press('Room settings');
  await look(host, '15-room-settings');
  await host.closeDialog();
  await host.press('Minimise the room');
  await host.inHallway();
  await look(host, '16-mini-player');

  await guest.network({ cut: true });
  await guest.sees(/Your connection is gone|The sound goes on/);
  await glance(guest, '17-reconnecting');
  await guest.network({ cut: false });
  await guest.connected();

  await host.page.getByRole('complementary', { name: 'The room you are in' }).getByRole('link').click();
  await host.press('Room settings');
  await host.press('End the room for everybody');
  await host.press('End the room for everybody');
  await guest.sees('The room has ended');
  await look(guest, '18-room-ended');
});

scene(world, 'the microphone is denied', async () => {
  const host = await Person.inside(world, 'Fatou');
  await host.microphone({ denied: true });
  await host.press('Start a room');
  await host.field('What is it about?').fill('Speechless');
  await host.press('Start the room');
  await host.inRoom('Speechless');
  await host.press('Unmute', { exact: true });
  await host.sees(/Your browser keeps the microphone closed/);
  await look(host, '19-microphone-denied');
});

scene(world, 'people and oneself', async () => {
  const person = await Person.inside(world, 'Goran');
  const friend = await Person.inside(world, 'Hilde');
  await friend.open(`/u/${person.handle}`);
  await friend.press('Follow');
  await friend.button('Following').waitFor();
  await look(friend, '20-profile');
  await person.open('/people');
  await look(person, '21-people');
  await person.open('/you');
  await look(person, '22-you');
  await person.open('/you/edit');
  await look(person, '23-edit-profile');
  await person.open('/invites');
  await person.sees('2 invites left');
  await person.press('Make a link for one person');
  await person.sees('1 invite left');
  await look(person, '24-invites');
  await person.open('/notices');
  await person.sees('Hilde follows you.');
  await look(person, '25-notices');
  await person.open('/settings');
  await person.sees('This device');
  await person.sees('What you are told of');
  await look(person, '26-settings');
  await person.open('/nowhere/at/all');
  await look(person, '27-nothing-here');
});

scene(world, 'in Chinese', async () => {
  const person = await Person.open(world, 'Jin', { locale: 'zh-CN' });
  await person.open();
  await person.page.locator('h1').waitFor();
  await look(person, '28-sign-in-zh');
});
