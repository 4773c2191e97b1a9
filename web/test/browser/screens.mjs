// Pictures of every screen, for people to look at, and what a machine can say about them: no violation that axe finds,
// nothing blocked by the content policy, nothing that scrolls sideways at 320 px or with text at 200 %.
// `node test/browser/screens.mjs [folder] [scene ...]` after a build; `LOOK=desk,zoom` for only the looks that begin so.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { install, serve } from './mock.mjs';
import { scenes } from './scenes.mjs';

const [folder = 'test/browser/pictures', ...wanted] = process.argv.slice(2);
const PORT = Number(process.env.PORT ?? 4190);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Each scene is played once for each of these; what differs only in looks is looked at there. `axe`: which rules. */
const VISITS = [
  {
    width: 390,
    height: 844,
    looks: [
      { name: 'phone-light', axe: true },
      { name: 'phone-dark', theme: 'dark', axe: ['color-contrast'] },
      { name: 'zoom', zoom: true },
      { name: 'narrow', width: 320, height: 640 },
    ],
  },
  {
    width: 1280,
    height: 800,
    looks: [
      { name: 'desk-light', axe: true },
      { name: 'desk-dark', theme: 'dark', axe: ['color-contrast'] },
    ],
  },
  { width: 390, height: 844, locale: 'zh', looks: [{ name: 'phone-zh' }] },
];
/** Pages at once. */
const HANDS = 3;

let failed = 0;
const fail = (text) => {
  failed++;
  process.stdout.write(`FAIL ${text}\n`);
};

async function play(browser, name, scene, visit) {
  const label = `${name} ${visit.looks[0].name}`;
  const context = await browser.newContext({
    baseURL: `http://127.0.0.1:${PORT}`,
    viewport: { width: visit.width, height: visit.height },
    deviceScaleFactor: 1,
    reducedMotion: 'reduce',
    permissions: ['microphone'],
    serviceWorkers: 'block',
    hasTouch: visit.width < 900,
  });
  const page = await context.newPage();
  const expected = /ERR_FAILED|status of (4|5)\d\d/;
  page.on(
    'console',
    (entry) => entry.type() === 'error' && !expected.test(entry.text()) && fail(`${label}: ${entry.text()}`),
  );
  page.on('pageerror', (error) => fail(`${label}: ${error.stack}`));
  const live = await install(page, { ...scene, locale: visit.locale });
  try {
    await scene.go(page, live);
    for (const look of visit.looks) await see(page, name, { ...visit, ...look });
  } catch (error) {
    await page.screenshot({ path: `${folder}/${visit.looks[0].name}/${name}-failed.png` });
    fail(`${label}: ${error.message}`);
  }
  await context.close();
}

async function see(page, name, look) {
  const label = `${name} ${look.name}`;
  await page.setViewportSize({ width: look.width, height: look.height });
  await page.evaluate(
    ({ theme = 'light', zoom }) => {
      document.documentElement.dataset.theme = theme;
      document.documentElement.style.fontSize = zoom ? '200%' : '';
    },
    { theme: look.theme, zoom: look.zoom },
  );
  await page.waitForFunction(() =>
    document
      .getAnimations()
      .every((animation) => animation.playState !== 'running' || animation.effect?.getTiming().iterations === Infinity),
  );
  await page.screenshot({ path: `${folder}/${look.name}/${name}.png` });
  const sideways = await page.evaluate(() => {
    const boxes = [document.documentElement, ...document.querySelectorAll('.place, .room, .room-scroll, .dialog')];
    return boxes
      .filter((box) => box.scrollWidth > box.clientWidth + 1)
      .map((box) => `${box.className || box.tagName} ${box.scrollWidth}>${box.clientWidth}`);
  });
  if (sideways.length > 0) fail(`${label} scrolls sideways: ${sideways}`);
  if (look.axe) await check(page, label, look.axe);
}

async function check(page, label, rules) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(
    (runOnly) =>
      window.axe.run(document, {
        resultTypes: ['violations'],
        rules: { 'target-size': { enabled: true } },
        ...(runOnly && { runOnly }),
      }),
    rules === true ? undefined : rules,
  );
  for (const { id, help, nodes } of violations)
    fail(
      `${label}: ${id}: ${help}: ${nodes
        .map((node) => node.html.slice(0, 160))
        .slice(0, 3)
        .join(' | ')}`,
    );
}

const server = await serve(PORT);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
    '--disable-background-networking',
    '--disable-component-update',
    '--no-first-run',
  ],
});
const begins = (process.env.LOOK ?? '').split(',');
const plays = [];
for (const { looks, ...visit } of VISITS) {
  const chosen = looks.filter(({ name }) => begins.some((begin) => name.startsWith(begin)));
  if (chosen.length === 0) continue;
  for (const { name } of chosen) mkdirSync(`${folder}/${name}`, { recursive: true });
  for (const [name, scene] of Object.entries(scenes))
    if (wanted.length === 0 || wanted.includes(name)) plays.push([name, scene, { ...visit, looks: chosen }]);
}
await Promise.all(
  Array.from({ length: HANDS }, async () => {
    for (let next = plays.shift(); next; next = plays.shift()) await play(browser, ...next);
  }),
);
await browser.close();
server.close();
process.stdout.write(failed ? `${failed} failed\n` : 'all screens are fine\n');
process.exitCode = failed ? 1 : 0;
