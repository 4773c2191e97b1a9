// Coming back to the same place: after a reload, after 5 seconds without a network, after the server went away.

import assert from 'node:assert/strict';
import { Person } from './lib/person.mjs';
import { elapse } from './lib/wait.mjs';
import { scene, useWorld } from './lib/world.mjs';

const world = useWorld();

const CUT_MS = 5_000;

/** Two who speak (440 and 550 Hz) and one who listens, in a room of that title. */
async function roomWithTwoSpeakers(title, names) {
  const [host, guest, listener] = [
    await Person.inside(world, names[0], { hz: 440 }),
    await Person.inside(world, names[1], { hz: 550 }),
    await Person.inside(world, names[2], { hz: 660 }),
  ];
  await host.startRoom(title);
  await guest.enter(title);
  await listener.enter(title);
  await host.moderate(guest, 'Invite on stage');
  await guest.comeOnStage();
  await guest.unmute();
  await listener.hears(host, guest);
  return { host, guest, listener };
}

/** Everybody in the room with their role, as a moderator's page shows it. */
async function roster(person) {
  return {
    stage: (await person.stage()).sort(),
    audience: (await person.page.locator('.listener-name').allTextContents()).sort(),
  };
}

scene(world, 'a reloaded page comes back to its place, role and hand', async () => {
  const { host, guest, listener } = await roomWithTwoSpeakers('Reloading', ['Pia', 'Quin', 'Rosa']);
  const before = await roster(host);

  await guest.page.reload();
  await guest.inRoom('Reloading');
  await guest.button('Mute', { exact: true }).waitFor();
  await listener.hears(host, guest);
  await guest.hears(host);
  assert.deepEqual(await roster(host), before, 'nobody is there twice');

  await listener.raiseHand();
  await listener.page.reload();
  await listener.inRoom('Reloading');
  await listener.button('Lower hand').waitFor();
  await listener.hears(host, guest);
  await host.button('1 raised hand').waitFor();
  assert.deepEqual(await roster(host), before, 'nobody is there twice');

  await host.page.reload();
  await host.inRoom('Reloading');
  await host.button('Room settings').waitFor();
  await listener.hears(host, guest);
});

scene(world, 'after 5 s without a network one is heard again, in the same place', async () => {
  const { host, guest, listener } = await roomWithTwoSpeakers('Tunnel', ['Sven', 'Tara', 'Uwe']);
  const before = await roster(host);
  const since = Date.now();

  await guest.network({ cut: true });
  await listener.hears(host);
  await guest.hears();
  await elapse(CUT_MS - Math.min(CUT_MS, Date.now() - since));
  await guest.network({ cut: false });
  await guest.connected();
  await guest.hears(host);
  await listener.hears(host, guest);
  await guest.button('Mute', { exact: true }).waitFor();
  assert.deepEqual(await roster(host), before, 'nobody is there twice');
  console.log(`cut for ${CUT_MS} ms: ${listener.name} missed ${guest.name} for ${await listener.longestGap(guest, since)} ms`);
  const gap = await listener.longestGap(host, since);
  assert.ok(gap < 1_500, `${listener.name} lost ${host.name} for ${gap} ms`);

  await listener.network({ cut: true });
  await listener.hears();
  await elapse(CUT_MS);
  await listener.network({ cut: false });
  await listener.hears(host, guest);
  await listener.seesOnStage(host, guest);
});

scene(world, 'a server that is killed and started again gets its room back', async () => {
  const { host, guest, listener } = await roomWithTwoSpeakers('Power cut', ['Vera', 'Wim', 'Xaver']);
  await world.server.stop('SIGKILL');
  await listener.hears();
  await listener.sees(/Reconnecting|You are being brought back/);
  await world.server.run();
  await listener.hears(host, guest);
  await guest.hears(host);
  await listener.seesOnStage(host, guest);
  await host.button('Room settings').waitFor();
});
