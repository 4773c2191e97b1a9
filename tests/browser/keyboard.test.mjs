// The main way through the app with the keyboard alone, and what a screen reader is told on the way.

import assert from 'node:assert/strict';
import { Person } from './lib/person.mjs';
import { until } from './lib/wait.mjs';
import { scene, useWorld } from './lib/world.mjs';

const world = useWorld();
const MOST_TABS = 60;

/** What has the focus: its name, where it is, and whether one can see that it has it. */
const focused = person => person.page.evaluate(() => {
  const element = document.activeElement;
  const drawn = [element, element.closest('.box')].filter(Boolean)
    .some(box => getComputedStyle(box).outlineStyle !== 'none' && parseFloat(getComputedStyle(box).outlineWidth) >= 2);
  return {
    name: (element.ariaLabel ?? element.labels?.[0]?.innerText ?? element.innerText ?? '').trim().replace(/\s+/g, ' '),
    body: element === document.body,
    inDialog: element.closest('dialog') !== null,
    inert: element.closest('[inert]') !== null,
    visible: element === document.body || (element.matches(':focus-visible') && drawn),
  };
});

/** Presses Tab until something of that name has the focus; everything on the way must show that it has it. */
async function tabTo(person, name) {
  const passed = [];
  for (let tabs = 0; tabs < MOST_TABS; tabs++) {
    const focus = await focused(person);
    if (name instanceof RegExp ? name.test(focus.name) : focus.name === name) return;
    await person.page.keyboard.press('Tab');
    const next = await focused(person);
    assert.ok(next.visible, `${person.name} cannot see that "${next.name}" has the focus`);
    assert.ok(!next.inert, `"${next.name}" lies under the room and has the focus`);
    passed.push(next.name);
  }
  assert.fail(`${person.name} never came to ${name} by Tab: ${passed.join(' | ')}`);
}

async function choose(person, name) {
  await tabTo(person, name);
  await person.page.keyboard.press('Enter');
}

const type = (person, text) => person.page.keyboard.type(text);

/** Notes what the polite live regions say, which comes and goes. */
const listen = person => person.page.evaluate(() => {
  window.said = [];
  const regions = () => [...document.querySelectorAll('[role=status], [aria-live], [role=alert]')];
  new MutationObserver(() => {
    for (const region of regions()) {
      const text = region.innerText.trim();
      if (text && !window.said.includes(text)) window.said.push(text);
    }
  }).observe(document.body, { childList: true, characterData: true, subtree: true });
});

async function isTold(person, text) {
  let said = [];
  await until(async () => {
    said = await person.page.evaluate(() => window.said);
    return said.some(words => words.includes(text));
  }, { what: () => `${person.name} to be told "${text}", was told ${JSON.stringify(said)}` });
}

/** Number, code, name and handle, without a pointer. */
async function signUp(person) {
  await world.server.allow(person.phone);
  await person.open();
  await person.sees('Phone number');
  await tabTo(person, 'Phone number');
  await person.page.keyboard.press('Control+A');
  await type(person, person.phone);
  const code = await world.server.codeAfter(() => person.page.keyboard.press('Enter'));
  await person.sees('Enter the code');
  // The field has the focus by itself, and six digits send themselves.
  assert.equal((await focused(person)).name, 'Code');
  await type(person, code);
  await person.sees('What shall people call you?');
  await tabTo(person, 'Name');
  await type(person, person.name);
  await tabTo(person, 'Handle');
  await type(person, person.handle);
  await choose(person, 'Come in');
  await person.inHallway();
}

scene(world, 'a room from sign-up to leaving, with the keyboard alone', async () => {
  const host = await Person.open(world, 'Kira', { hz: 440 });
  const guest = await Person.open(world, 'Lars', { hz: 550 });
  await signUp(host);
  await signUp(guest);
  await listen(host);
  await listen(guest);

  await choose(host, 'Start a room');
  await tabTo(host, 'What is it about?');
  await type(host, 'Keys');
  await choose(host, 'Start the room');
  await host.inRoom('Keys');
  await host.page.keyboard.press('m');
  await host.button('Mute', { exact: true }).waitFor();
  await isTold(host, 'You can be heard.');

  await guest.page.getByRole('link', { name: 'Keys' }).waitFor();
  await choose(guest, /Keys/);
  await guest.inRoom('Keys');
  assert.equal((await focused(guest)).name, 'Keys', 'the room\'s title has the focus');
  await guest.hears(host);
  await guest.page.keyboard.press('h');
  await guest.sees('You are number 1 in the queue.');
  await isTold(guest, 'You are number 1 in the queue.');
  await isTold(host, '1 hand is up.');

  await choose(host, '1 raised hand');
  await host.page.getByRole('dialog', { name: 'Raised hands' }).waitFor();
  for (let tabs = 0; tabs < 12; tabs++) {
    await host.page.keyboard.press('Tab');
    const { name, inDialog, body, visible } = await focused(host);
    assert.ok(inDialog || body, `the focus left the dialog for "${name}"`);
    assert.ok(visible, `"${name}" does not show the focus`);
  }
  await choose(host, 'Invite Lars');
  await host.closeDialog();
  assert.match((await focused(host)).name, /raised hand/, 'the focus is back where it was');

  await isTold(guest, 'You are invited on stage.');
  await choose(guest, 'Come on stage');
  await isTold(host, 'Lars is on stage.');
  await guest.button('Unmute', { exact: true }).waitFor();
  await guest.page.keyboard.press('m');
  await host.hears(guest);
  await isTold(guest, 'You can be heard.');

  // Out of the way and back again.
  await guest.page.keyboard.press('Escape');
  await guest.inHallway();
  assert.match((await focused(guest)).name, /Keys/, 'the room\'s bar has the focus');
  await guest.page.keyboard.press('Enter');
  await guest.inRoom('Keys');
  await guest.page.keyboard.press('l');
  await guest.inHallway();
  await isTold(host, 'Lars left the stage.');
});
