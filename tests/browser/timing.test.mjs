// How long things take, as Chromium hears and shows it. The figures are printed; the machine may be busy, and judged is only
// what no machine is busy enough for.

import assert from 'node:assert/strict';
import { Person } from './lib/person.mjs';
import { until } from './lib/wait.mjs';
import { scene, useWorld } from './lib/world.mjs';

const world = useWorld();
const TIMES = 10;
/**
 * Longer than this no ring may be missing from somebody who goes on speaking, in ms. It tells a ring that is lost from a
 * machine that was busy; how long it was is printed.
 */
const RING_GAP_MS = 8_000;

/** Presses a button in the page itself, and says when. */
const pressAt = (person, name) => person.button(name, { exact: true }).evaluate(button => {
  const at = Date.now();
  button.click();
  return at;
});

/** Waits until a page listens for sound, or for silence; the answer waits for the moment. */
async function listensFor(person, loud) {
  await person.page.evaluate(on => window.mitalkTest.listenFor(on), loud);
  return () => person.page.evaluate(() => window.mitalkTest.turned);
}

function report(what, figures) {
  const sorted = [...figures].sort((a, b) => a - b);
  console.log(`${what}: median ${sorted[Math.floor(sorted.length / 2)]} ms, from ${sorted[0]} to ${sorted.at(-1)} ms, ${sorted.length} times`);
}

/** From a press to the moment at which the listener hears it. */
async function measure(presser, name, listener, loud) {
  const heard = await listensFor(listener, loud);
  const pressed = await pressAt(presser, name);
  return (await heard()) - pressed;
}

scene(world, 'from a press to what is heard', async () => {
  const host = await Person.inside(world, 'Tilo', { hz: 440 });
  const listener = await Person.inside(world, 'Ulla', { hz: 550 });
  await host.startRoom('Clockwork');
  await listener.enter('Clockwork');
  await listener.hears(host);
  const [muted, unmuted, joined] = [[], [], []];
  for (let times = 0; times < TIMES; times++) {
    muted.push(await measure(host, 'Mute', listener, false));
    await listener.hears();
    unmuted.push(await measure(host, 'Unmute', listener, true));
    await listener.hears(host);
  }
  for (let times = 0; times < TIMES; times++) {
    await listener.press('Leave');
    await listener.inHallway();
    await listener.hears();
    const heard = await listensFor(listener, true);
    const card = listener.page.getByRole('link', { name: 'Clockwork' });
    const pressed = await card.evaluate(link => {
      const at = Date.now();
      link.click();
      return at;
    });
    joined.push((await heard()) - pressed);
    await listener.connected();
  }
  report('mute to silence', muted);
  report('unmute to being heard', unmuted);
  report('join to the first sound', joined);
});

/** Notes again and again who has a ring. */
const watchRings = person => person.page.evaluate(() => {
  window.rings = [];
  setInterval(() => {
    const members = [...document.querySelectorAll('.stage li')].filter(member => member.querySelector('[data-speaking]'));
    window.rings.push([Date.now(), members.map(member => member.querySelector('.member-name').textContent.trim())]);
  }, 50);
});

async function hasRings(person, ...people) {
  const expected = people.map(({ name }) => name).sort();
  let last = [];
  await until(async () => {
    last = (await person.page.evaluate(() => window.rings.at(-1)))?.[1] ?? [];
    return JSON.stringify([...last].sort()) === JSON.stringify(expected);
  }, { what: () => `${person.name} to see rings on ${expected}, saw them on ${last}` });
}

async function longestWithoutRing(person, speaker, since) {
  const seen = await person.page.evaluate(() => window.rings);
  let [last, longest] = [since, 0];
  for (const [at, names] of seen.filter(([at]) => at >= since)) {
    if (!names.includes(speaker.name)) continue;
    longest = Math.max(longest, at - last);
    last = at;
  }
  return Math.max(longest, Date.now() - last);
}

scene(world, 'who speaks keeps their ring while others take turns on the slots', async () => {
  const [anke, bert] = [await Person.inside(world, 'Anke', { hz: 440 }), await Person.inside(world, 'Bert', { hz: 550 })];
  const [cord, doro] = [await Person.inside(world, 'Cord', { hz: 660 }), await Person.inside(world, 'Doro', { hz: 770 })];
  const listener = await Person.inside(world, 'Edda', { hz: 880 });
  await anke.startRoom('Taking turns');
  for (const guest of [bert, cord, doro]) {
    await guest.enter('Taking turns');
    await anke.moderate(guest, 'Invite on stage');
    await guest.comeOnStage();
  }
  await listener.enter('Taking turns');
  await watchRings(listener);
  await bert.unmute();
  await cord.unmute();
  await listener.hears(anke, bert, cord);
  await hasRings(listener, anke, bert, cord);

  const since = Date.now();
  for (const [leaves, comes] of [[bert, doro], [cord, bert], [doro, cord]]) {
    await leaves.mute();
    await comes.unmute();
  }
  await listener.hears(anke, bert, cord);
  await hasRings(listener, anke, bert, cord);
  const gap = await longestWithoutRing(listener, anke, since);
  console.log(`three switches of speakers: ${anke.name} was without a ring for ${gap} ms at most`);
  assert.ok(gap < RING_GAP_MS, `${anke.name} lost the ring for ${gap} ms`);
});
