// Takes the README's pictures from the real product: `npm run picture`. Nine people with tones of their own, each at a
// page: seven in one room, and two who have opened another. Not part of the tests.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './lib/chromium.mjs';
import { Person } from './lib/person.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/wait.mjs';

const DIR = fileURLToPath(new URL('../../web/pictures', import.meta.url));
const DESK = { width: 1280, height: 800 };
const TITLE = 'What batteries will cost in 2030';
/** The README is read over slow networks too. */
const MOST_BYTES = 200_000;

const CAST = {
  maya: ['Maya Okonkwo', 'Grid storage, Northwind', 440],
  jonas: ['Jonas Lindqvist', 'Climate tech investor', 550],
  lihua: ['李华', 'Cell chemistry', 660],
  sofia: ['Sofia Marchetti', 'Energy lawyer', 770],
  arif: ['Arif Wibowo', 'Solar on islands', 880],
  ngozi: ['Ngozi Eze', 'Founder, Solar Loop', 990],
  tom: ['Tom Baker', 'Journalist', 1100],
  claire: ['Claire Dubois', 'Hiring for start-ups', 1210],
  ken: ['Ken Watanabe', 'Robotics', 1320],
};

const speaking = person => person.page.locator('.stage .ring[data-speaking]').count();

async function gather(world) {
  const people = {};
  for (const [key, [name, headline, hz]] of Object.entries(CAST)) {
    people[key] = await Person.inside(world, name, { hz, headline, handle: key, deviceScaleFactor: 1.5 });
  }
  return people;
}

async function fillTheRoom({ maya, jonas, lihua, sofia, arif, ngozi, tom, claire, ken }) {
  await claire.startRoom('Your first ten people: hire, wait, or do it yourself', { topics: ['Hiring'] });
  await ken.startRoom('Robots that work beside us', { topics: ['Robotics', 'Factories'] });
  for (const listener of [arif, ngozi]) {
    await maya.open(`/u/${listener.handle}`);
    await maya.press('Follow');
    await maya.button('Following').waitFor();
  }
  await maya.open();
  await maya.startRoom(TITLE, { topics: ['Energy', 'Batteries'] });
  for (const guest of [jonas, lihua, sofia]) {
    await guest.enter(TITLE);
    await maya.moderate(guest, 'Invite on stage');
    await guest.comeOnStage();
  }
  await jonas.unmute();
  await lihua.unmute();
  await maya.moderate(jonas, 'Make moderator', { sure: true });
  for (const listener of [arif, ngozi, tom]) await listener.enter(TITLE);
  for (const asks of [ngozi, tom]) await asks.raiseHand();
}

/** Once everybody who speaks has their ring, and what was said in passing is gone. */
async function take(person, name, scale) {
  const { page } = person;
  await page.evaluate(() => document.fonts.ready);
  await page.mouse.move(0, 0);
  await page.evaluate(() => document.activeElement?.blur());
  await page.locator('.toast').first().waitFor({ state: 'detached' });
  await person.sees('3 in the audience');
  await until(async () => await page.locator('.listener .mark.hand').count() === 2, { what: 'two hands' });
  await until(async () => await speaking(person) === 3, { what: 'three rings' });
  const file = path.join(DIR, name);
  await page.screenshot({ path: file, scale });
  const { size } = fs.statSync(file);
  console.log(`${name}: ${size} bytes`);
  if (size > MOST_BYTES) throw new Error(`${name} is above ${MOST_BYTES} bytes`);
}

const world = { server: await Server.start(), browser: await launch() };
try {
  await world.server.phase('open');
  const people = await gather(world);
  await fillTheRoom(people);
  await people.tom.hears(people.maya, people.jonas, people.lihua);
  await take(people.jonas, 'room.png', 'device');
  await people.maya.page.setViewportSize(DESK);
  await people.maya.page.emulateMedia({ colorScheme: 'dark' });
  await take(people.maya, 'room-desk.png', 'css');
} finally {
  await world.browser.close();
  await world.server.dispose();
}
