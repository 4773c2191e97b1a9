// Draws the PNG icons that some systems want from public/icon.svg. Run by hand when the mark changes.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const out = fileURLToPath(new URL('../public/', import.meta.url));
const svg = readFileSync(`${out}icon.svg`, 'utf8');
/** Systems that cut their own shape out want the ground up to the edge. */
const full = svg.replace(' rx="15"', '');
const icons = [
  ['icon-192.png', 192, svg],
  ['icon-512.png', 512, svg],
  [
    'icon-maskable-512.png',
    512,
    full.replace('viewBox="0 0 64 64"', 'viewBox="-6 -6 76 76" style="background:#16241f"'),
  ],
  ['icon-180.png', 180, full],
];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
for (const [name, size, source] of icons) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${source}`);
  await page.screenshot({ path: out + name, omitBackground: true });
  await page.close();
}
await browser.close();
