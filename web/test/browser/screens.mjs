// Pictures of every screen, for people to look at, and what a machine can say about them: no violation that axe finds,
// nothing blocked by the content policy, nothing that scrolls sideways at 320 px or with text at 200 %.
// `node test/browser/screens.mjs [folder] [scene ...]` after a build.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { install, serve } from './mock.mjs';
import { scenes } from './scenes.mjs';

const [folder = 'test/browser/pictures', ...wanted] = process.argv.slice(2);
const PORT = Number(process.env.PORT ?? 4190);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LOOKS = [
  { name: 'phone-light', width: 390, height: 844, theme: 'light' },
  { name: 'phone-dark', width: 390, height: 844, theme: 'dark' },
  { name: 'desk-light', width: 1280, height: 800, theme: 'light' },
  { name: 'desk-dark', width: 1280, height: 800, theme: 'dark' },
  { name: 'phone-zh', width: 390, height: 844, theme: 'light', locale: 'zh' },
  { name: 'narrow', width: 320, height: 640, theme: 'light' },
  { name: 'zoom', width: 390, height: 844, theme: 'light', zoom: true },
];

let failed = 0;
const fail = (text) => {
  failed++;
  process.stdout.write(`FAIL ${text}\n`);
};

async function take(browser, name, scene, look) {
  const label = `${name} ${look.name}`;
  const context = await browser.newContext({
    baseURL: `http://127.0.0.1:${PORT}`,
    viewport: { width: look.width, height: look.height },
    deviceScaleFactor: 1,
    reducedMotion: 'reduce',
    permissions: ['microphone'],
    serviceWorkers: 'block',
    hasTouch: look.width < 900,
  });
  const page = await context.newPage();
  const expected = /ERR_FAILED|status of (4|5)\d\d/;
  page.on(
    'console',
    (entry) => entry.type() === 'error' && !expected.test(entry.text()) && fail(`${label}: ${entry.text()}`),
  );
  page.on('pageerror', (error) => fail(`${label}: ${error.stack}`));
  const live = await install(page, { ...scene, theme: look.theme, locale: look.locale });
  try {
    await scene.go(page, live);
    if (look.zoom)
      await page.evaluate(() => {
        document.documentElement.style.fontSize = '200%';
      });
    await page.waitForFunction(() =>
      document
        .getAnimations()
        .every(
          (animation) => animation.playState !== 'running' || animation.effect?.getTiming().iterations === Infinity,
        ),
    );
    await page.screenshot({ path: `${folder}/${look.name}/${name}.png` });
    const sideways = await page.evaluate(() => {
      const boxes = [document.documentElement, ...document.querySelectorAll('.place, .room-scroll, .dialog')];
      return boxes
        .filter((box) => box.scrollWidth > box.clientWidth + 1)
        .map((box) => `${box.className || box.tagName} ${box.scrollWidth}>${box.clientWidth}`);
    });
    if (sideways.length > 0) fail(`${label} scrolls sideways: ${sideways}`);
    if (look.name.startsWith('phone') || look.name.startsWith('desk')) await check(page, label);
  } catch (error) {
    await page.screenshot({ path: `${folder}/${look.name}/${name}-failed.png` });
    fail(`${label}: ${error.message}`);
  }
  await context.close();
}

async function check(page, label) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } }),
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
for (const look of LOOKS) {
  if (process.env.LOOK && !look.name.startsWith(process.env.LOOK)) continue;
  mkdirSync(`${folder}/${look.name}`, { recursive: true });
  for (const [name, scene] of Object.entries(scenes))
    if (wanted.length === 0 || wanted.includes(name)) await take(browser, name, scene, look);
}
await browser.close();
server.close();
process.stdout.write(failed ? `${failed} failed\n` : 'all screens are fine\n');
process.exitCode = failed ? 1 : 0;
