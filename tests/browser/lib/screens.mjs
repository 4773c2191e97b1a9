// Looks at a screen: keeps a picture of it, light and dark, and asks axe-core what a screen reader would stumble over.

import axe from 'axe-core';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { VIEWPORT } from './chromium.mjs';

const DIR = fileURLToPath(new URL('../../screenshots', import.meta.url));
const RULES = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
const NARROW = { width: 320, height: 844 };
const DESK = { width: 1280, height: 800 };

/**
 * Pictures `name-light.png` and `name-dark.png` of the phone, `name-desk-light.png` and `name-desk-dark.png` of a desk;
 * fails on any accessibility violation, or if it scrolls sideways on the smallest phone.
 */
export async function look(person, name) {
  const { page } = person;
  // While the account is on its way there is nothing to look at.
  await page.locator('h1').first().waitFor();
  await inspect(page, name);
  await page.setViewportSize(DESK);
  await inspect(page, `${name}-desk`);
  await page.setViewportSize(NARROW);
  await settled(page);
  // What scrolls by itself hides from the page that it is too wide.
  const sideways = await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll('.place, .room, .room-scroll, .dialog')]
      .filter(box => box.scrollWidth > box.clientWidth)
      .map(box => `${box.className || box.tagName}: ${box.scrollWidth} > ${box.clientWidth}`));
  await page.setViewportSize(VIEWPORT);
  assert.deepEqual(sideways, [], `${name} scrolls sideways at ${NARROW.width} px`);
}

const inspect = (page, name) => eachScheme(page, async colorScheme => {
  await picture(page, name, colorScheme);
  assert.deepEqual(await violations(page), [], `accessibility of ${name}, ${colorScheme}`);
});

/** Only the pictures, of a state that does not wait for the checks. */
export const glance = (person, name) =>
  eachScheme(person.page, colorScheme => picture(person.page, name, colorScheme));

async function eachScheme(page, see) {
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await settled(page);
    await see(colorScheme);
  }
}

async function picture(page, name, colorScheme) {
  fs.mkdirSync(DIR, { recursive: true });
  await page.screenshot({ path: path.join(DIR, `${name}-${colorScheme}.png`) });
}

/** Waits for fonts, and for motion to come to rest. */
const settled = page => page.evaluate(async () => {
  await document.fonts.ready;
  await Promise.allSettled(document.getAnimations().filter(a => a.effect?.getTiming().iterations !== Infinity).map(a => a.finished));
  await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)));
});

async function violations(page) {
  // Evaluated rather than added as a script: the app's content security policy would refuse one.
  await page.evaluate(`window.axe ?? (() => { ${axe.source} })()`);
  const found = await page.evaluate(rules => axe.run(document, rules), RULES);
  return found.violations.map(({ id, help, nodes }) => `${id}: ${help} at ${nodes.map(node => node.target.join(' ')).join(', ')}`);
}
