// A server and a browser for one test file, set up before its scenes and cleared away after them.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './chromium.mjs';
import { Server } from './server.mjs';

/** A scene that takes longer hangs. */
const SCENE_MS = 240_000;

/** Registers the hooks. The result is filled before the first scene: `world.server`, `world.browser`. */
export function useWorld({ phase = 'closed_test', set = {} } = {}) {
  const world = { failed: false };
  before(async () => {
    world.server = await Server.start(set);
    await world.server.phase(phase);
    world.browser = await launch();
  });
  after(async () => {
    await world.browser?.close();
    await world.server?.dispose({ failed: world.failed });
  });
  return world;
}

/** A test with pages: on failure it keeps pictures and the server's log; at its end all pages are closed. */
export function scene(world, name, play) {
  test(name, { timeout: SCENE_MS }, async () => {
    try {
      await play();
      for (const page of pages(world)) assert.deepEqual(page.errors ?? [], [], `errors in the page ${page.url()}`);
    } catch (error) {
      world.failed = true;
      await keepPictures(world);
      throw error;
    } finally {
      for (const context of world.browser.contexts()) await context.close();
    }
  });
}

const pages = world => world.browser.contexts().flatMap(context => context.pages());

/** What every page shows at this moment, for people to look at. */
async function keepPictures(world) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mitalk-browser-failed-'));
  for (const [n, page] of pages(world).entries()) {
    await page.screenshot({ path: path.join(dir, `${n}.png`) }).catch(() => undefined);
  }
  console.error(`pages at the failure: ${dir}`);
}
