// Getting in: codes, the waitlist, the operator, invites.

import assert from 'node:assert/strict';
import { Person } from './lib/person.mjs';
import { until } from './lib/wait.mjs';
import { scene, useWorld } from './lib/world.mjs';

const world = useWorld();

/** Notes every place in line that a page shows, to see that it only falls. */
const watchPlace = person => person.page.evaluate(() => {
  window.places = [];
  const note = () => {
    const text = document.querySelector('.place-in-line strong')?.textContent;
    const place = text && Number(text.replaceAll(',', ''));
    if (text && places.at(-1) !== place) places.push(place);
  };
  note();
  new MutationObserver(note).observe(document.body, { childList: true, characterData: true, subtree: true });
});

const isAhead = (person, ahead) =>
  until(async () => await person.ahead() === ahead, { what: `${person.name} to have ${ahead} people ahead` });

scene(world, 'people wait in order of arrival, and the operator lets them in', async () => {
  const people = [];
  for (const name of ['Ben', 'Cara', 'Dan']) {
    const person = await Person.open(world, name);
    await person.signUp();
    await person.sees('You are in line');
    people.push(person);
  }
  const [ben, cara, dan] = people;
  await isAhead(ben, 0);
  await isAhead(cara, 1);
  await isAhead(dan, 2);
  await watchPlace(dan);

  await world.server.admin('POST', '/waitlist/admit', { count: 1 });
  await ben.sees('What shall people call you?');
  await ben.setUp();
  await isAhead(cara, 0);
  await isAhead(dan, 1);

  await world.server.admin('POST', '/waitlist/admit', { phone: cara.phone });
  await cara.sees('What shall people call you?');
  await isAhead(dan, 0);
  const places = await dan.page.evaluate(() => window.places);
  assert.deepEqual(places, [...places].sort((a, b) => b - a), 'the place only falls');

  // A reload keeps the place, and the account.
  await dan.page.reload();
  await dan.sees('You are in line');
  await world.server.admin('POST', '/waitlist/admit', { count: 1 });
  await dan.sees('What shall people call you?');
});

scene(world, 'an invited number skips the line, and so does a link', async () => {
  const anna = await Person.inside(world, 'Anna');
  const first = await Person.open(world, 'Frank');
  await first.signUp();
  await first.sees('You are in line');

  const eve = await Person.open(world, 'Eve');
  await anna.open('/invites');
  await anna.sees('2 invites left');
  await anna.field('Invite a phone number').fill(eve.phone);
  await anna.press('Invite', { exact: true });
  await anna.sees('1 invite left');
  await eve.signUp();
  await eve.setUp();
  await first.sees('You are in line');

  const made = anna.page.waitForResponse(response => response.url().endsWith('/v1/invites') && response.status() === 201);
  await anna.press('Make a link for one person');
  const { link } = await (await made).json();
  await anna.sees(/no invites left/);
  const gus = await Person.open(world, 'Gus');
  await gus.open(link);
  await gus.sees('Anna invites you to Mi Talk');
  await gus.press('Sign up with your number');
  await gus.field('Code').fill(await gus.askForCode());
  await gus.setUp();

  // The link worked once. Who tries it again stays in line.
  await first.open(link);
  await first.sees('This invite is used up');
  await anna.open('/notices');
  await anna.sees('Eve accepted your invite.');
  await anna.sees('Gus accepted your invite.');
});

scene(world, 'a number on the allow-list comes in at once, one that is switched off waits', async () => {
  const hana = await Person.inside(world, 'Hana');
  await hana.sees('It is quiet right now');
  const ivo = await Person.open(world, 'Ivo');
  await world.server.admin('POST', '/allow-list', { entries: [{ phone: ivo.phone, enabled: false }] });
  await ivo.signUp();
  await ivo.sees('You are in line');
});
