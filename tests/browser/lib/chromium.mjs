// Starts headless Chromium, and gives each person a context of their own: storage, microphone and network.

import { chromium } from 'playwright-core';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

const PAGE_AUDIO = fs.readFileSync(fileURLToPath(new URL('page-audio.js', import.meta.url)), 'utf8');
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--no-first-run', '--disable-quic', '--allow-loopback-in-peer-connection',
];
/** A phone. */
export const VIEWPORT = { width: 390, height: 844 };
// WebRTC obeys the emulated network only if it was there before the connection was made, so it always is: fast, but there.
const NETWORK = { latency: 0, downloadThroughput: 12_500_000, uploadThroughput: 12_500_000, packetQueueLength: 10_000 };

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of NAMES) {
    try {
      return execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    } catch { /* the next name */ }
  }
  throw new Error(`none of ${NAMES.join(', ')} is installed; set CHROMIUM to a browser's path`);
}

/** The browser of one test file. */
export const launch = () => chromium.launch({ executablePath: executable(), headless: true, args: FLAGS });

/** A context and page of one person whose microphone is a tone. Page errors are collected in `page.errors`. `look`: its locale, size and colours. */
export async function openPage(browser, { hz, ...look } = {}) {
  const context = await browser.newContext({ locale: 'en-GB', colorScheme: 'light', viewport: VIEWPORT, ...look, permissions: ['microphone', 'clipboard-read', 'clipboard-write'] });
  await context.addInitScript(`(${PAGE_AUDIO.trim()})(${Number(hz ?? 440)})`);
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', error => page.errors.push(String(error)));
  page.network = await context.newCDPSession(page);
  await page.network.send('Network.enable');
  await setNetwork(page, { cut: false });
  return page;
}

/** Cuts a page's network, or mends it: HTTP fails, sockets stall, and every media packet is lost, in both directions. */
export const setNetwork = (page, { cut }) =>
  page.network.send('Network.emulateNetworkConditions', { ...NETWORK, offline: cut, packetLoss: cut ? 100 : 0 });
