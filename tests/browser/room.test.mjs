// A room of three, each with a tone of their own: what everybody hears and sees, from the first word to the end.

import assert from 'node:assert/strict';
import { Person } from './lib/person.mjs';
import { until } from './lib/wait.mjs';
import { scene, useWorld } from './lib/world.mjs';

const world = useWorld();

/**
 * Longer than this nobody may drop out while others come and go, in ms. It tells a voice that is gone from a machine that
 * was busy; how long the longest gap was is printed.
 */
const GAP_MS = 8_000;

/** Mira moderates and speaks at 440 Hz, Noor (550 Hz) and Otto (660 Hz) listen. */
async function roomOfThree(title, names = ['Mira', 'Noor', 'Otto']) {
  const mira = await Person.inside(world, names[0], { hz: 440 });
  const noor = await Person.inside(world, names[1], { hz: 550 });
  const otto = await Person.inside(world, names[2], { hz: 660 });
  await mira.startRoom(title);
  await noor.enter(title);
  await otto.enter(title);
  await noor.hears(mira);
  await otto.hears(mira);
  return { mira, noor, otto };
}

async function bringOnStage(mira, person) {
  await mira.moderate(person, 'Invite on stage');
  await person.comeOnStage();
  await person.unmute();
}

async function keptHearing(listener, speaker, since) {
  const gap = await listener.longestGap(speaker, since);
  console.log(`${listener.name} heard ${speaker.name} throughout, longest gap ${gap} ms`);
  assert.ok(gap < GAP_MS, `${listener.name} lost ${speaker.name} for ${gap} ms`);
}

scene(world, 'a listener raises a hand, comes on stage, and both are heard', async () => {
  const { mira, noor, otto } = await roomOfThree('Valves and pumps');
  await mira.hears();
  const since = Date.now();

  await noor.raiseHand();
  await noor.sees('You are number 1 in the queue.');
  await mira.acceptHand(noor);
  await noor.sees('Come on stage?');
  await noor.comeOnStage();
  for (const person of [mira, noor, otto]) await person.seesOnStage(mira, noor);
  // On stage, and muted until one says otherwise.
  await otto.hears(mira);

  await noor.unmute();
  await otto.hears(mira, noor);
  await mira.hears(noor);
  await noor.hears(mira);

  await noor.mute();
  await otto.hears(mira);
  await mira.hears();
  await noor.unmute();
  await otto.hears(mira, noor);

  // Pressed faster than the server answers, the last press stands.
  const presses = ['mute', 'unmute', 'mute', 'unmute'];
  const sent = new Set();
  let answers = 0;
  noor.page.on('request', request => request.url().endsWith('/mute') && sent.add(request));
  noor.page.on('response', response => { answers += sent.has(response.request()) && response.ok(); });
  for (const _ of presses) await noor.page.keyboard.press('m');
  await until(() => answers === presses.length, { what: 'the answers to all presses' });
  await noor.button('Mute', { exact: true }).waitFor();
  await mira.page.locator('.member[data-muted=false]').filter({ hasText: 'Noor' }).waitFor();
  await otto.hears(mira, noor);

  await mira.moderate(noor, 'Mute');
  await noor.button('Unmute', { exact: true }).waitFor();
  await otto.hears(mira);
  await noor.unmute();
  await otto.hears(mira, noor);
  await keptHearing(otto, mira, since);
  // Those who spoke never heard themselves.
  await mira.neverHeard(mira, 0);
  await noor.neverHeard(noor, 0);
});

scene(world, 'moved back, removed or banned, nobody is heard any more', async () => {
  const title = 'Bridges';
  const { mira, noor, otto } = await roomOfThree(title, ['Mara', 'Nils', 'Olga']);
  const since = Date.now();

  await bringOnStage(mira, noor);
  await otto.hears(mira, noor);
  await mira.moderate(noor, 'Move to the audience');
  await otto.hears(mira);
  await otto.seesOnStage(mira);
  await noor.button('Raise hand').waitFor();
  await noor.hears(mira);

  await bringOnStage(mira, noor);
  await otto.hears(mira, noor);
  await mira.moderate(noor, 'Remove from the room', { sure: true });
  await noor.sees('You were removed from the room');
  await otto.hears(mira);
  await noor.hears();
  await noor.press('Join again');
  await noor.inRoom(title);
  await noor.hears(mira);

  await bringOnStage(mira, noor);
  await otto.hears(mira, noor);
  await mira.moderate(noor, 'Ban from the room', { sure: true });
  await noor.sees('You were banned from the room');
  await otto.hears(mira);
  await noor.hears();
  const banned = Date.now();
  await noor.open(mira.room);
  await noor.sees('A moderator closed this room to you.');
  await noor.hears();
  await noor.heardNothing(banned);
  await keptHearing(otto, mira, since);
});

scene(world, 'the room ends for all', async () => {
  const { mira, noor, otto } = await roomOfThree('Closing time', ['Mona', 'Nora', 'Omar']);
  await otto.press('Leave');
  await otto.inHallway();
  await otto.hears();
  await otto.enter('Closing time');
  await otto.hears(mira);

  await mira.press('Room settings');
  await mira.press('End the room for everybody');
  await mira.press('End the room for everybody');
  for (const person of [mira, noor, otto]) {
    await person.sees('The room has ended');
    await person.hears();
  }
  await otto.press('To the hallway');
  await otto.inHallway();
  await until(async () => await otto.page.getByRole('link', { name: 'Closing time' }).count() === 0, {
    what: 'it to be gone from the hallway',
  });
});
