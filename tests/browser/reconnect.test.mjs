// Coming back to the same place: after a reload, after 5 seconds without a network, after the server went away.

import assert from 'node:assert/strict';
import { Person } from './lib/person.mjs';
import { elapse, until } from './lib/wait.mjs';
import { scene, useWorld } from './lib/world.mjs';

const world = useWorld();

const CUT_MS = 5_000;
/** Longer than the server keeps a place for somebody it does not hear of, and than it takes to miss them. */
const GRACE_MS = 120_000;

/** Longer than this nobody may lose somebody whose network is fine, in ms. Generous: the figure is printed. */
const GAP_MS = 8_000;

/** ICE restarts that the server has answered: connections that went on, where a new session would not count. */
async function iceRestarts() {
  const metrics = await (await fetch(`${world.server.operations}/metrics`)).text();
  return Number(/^mitalk_media_ice_restarts_total (\d+)/m.exec(metrics)[1]);
}

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

/** Waits until a moderator's page shows these people, nobody twice. */
async function showsAll(person, stage, audience) {
  const expected = JSON.stringify({ stage: names(stage), audience: names(audience) });
  let seen = '';
  await until(async () => {
    seen = JSON.stringify(await roster(person));
    return seen === expected;
  }, { what: () => `${expected}, once each, saw ${seen}` });
}

const names = people => people.map(person => person.name).sort();

scene(world, 'a reloaded page comes back to its place, role and hand', async () => {
  const { host, guest, listener } = await roomWithTwoSpeakers('Reloading', ['Pia', 'Quin', 'Rosa']);
  await guest.page.reload();
  await guest.inRoom('Reloading');
  await guest.button('Mute', { exact: true }).waitFor();
  await listener.hears(host, guest);
  await guest.hears(host);
  await showsAll(host, [host, guest], [listener]);

  await listener.raiseHand();
  await listener.page.reload();
  await listener.inRoom('Reloading');
  await listener.button('Lower hand').waitFor();
  await listener.hears(host, guest);
  await host.button('1 raised hand').waitFor();
  await showsAll(host, [host, guest], [listener]);

  await host.page.reload();
  await host.inRoom('Reloading');
  await host.button('Room settings').waitFor();
  await listener.hears(host, guest);
});

scene(world, 'after 5 s without a network one is heard again, in the same place', async () => {
  const { host, guest, listener } = await roomWithTwoSpeakers('Tunnel', ['Sven', 'Tara', 'Uwe']);
  const restarts = await iceRestarts();
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
  await showsAll(host, [host, guest], [listener]);
  console.log(`cut for ${CUT_MS} ms: ${listener.name} missed ${guest.name} for ${await listener.longestGap(guest, since)} ms`);
  const gap = await listener.longestGap(host, since);
  console.log(`${listener.name} heard ${host.name} throughout, longest gap ${gap} ms`);
  assert.ok(gap < GAP_MS, `${listener.name} lost ${host.name} for ${gap} ms`);
  await until(async () => (await iceRestarts()) > restarts, { what: 'an ICE restart of the same connection' });

  await listener.network({ cut: true });
  await listener.hears();
  await elapse(CUT_MS);
  await listener.network({ cut: false });
  await listener.hears(host, guest);
  await listener.seesOnStage(host, guest);
});

scene(world, 'who mutes without a network stays silent when it is back', async () => {
  const { host, guest, listener } = await roomWithTwoSpeakers('Quiet tunnel', ['Elif', 'Finn', 'Gaia']);
  await guest.network({ cut: true });
  await listener.hears(host);
  await guest.press('Mute', { exact: true });
  // What was on its way before may still be heard.
  const since = Date.now();
  await elapse(2 * CUT_MS);
  await guest.button('Unmute', { exact: true }).waitFor();
  await guest.network({ cut: false });
  await guest.hears(host);
  await host.page.locator('.member[data-muted=true]').filter({ hasText: 'Finn' }).waitFor();
  await listener.hears(host);
  await listener.neverHeard(guest, since, [host, guest]);
  await guest.unmute();
  await listener.hears(host, guest);
});

scene(world, 'after a cut that outlasts the grace one comes back by oneself, to the audience', async () => {
  const { host, guest, listener } = await roomWithTwoSpeakers('Long tunnel', ['Yuri', 'Zita', 'Aldo']);
  await Promise.all([guest.network({ cut: true }), listener.network({ cut: true })]);
  await until(async () => (await roster(host)).stage.length === 1, { what: 'the place to be given up', withinMs: GRACE_MS });
  await guest.sees(/You are being brought back/);

  await Promise.all([guest.network({ cut: false }), listener.network({ cut: false })]);
  for (const person of [guest, listener]) await person.hears(host);
  await guest.button('Raise hand').waitFor();
  await guest.seesOnStage(host);
  await showsAll(host, [host], [guest, listener]);
  await host.moderate(guest, 'Invite on stage');
  await guest.comeOnStage();
  await guest.unmute();
  await listener.hears(host, guest);
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

scene(world, 'two restarts in quick succession end in the same room, once', async () => {
  const { host, guest, listener } = await roomWithTwoSpeakers('Twice', ['Bora', 'Ciro', 'Dina']);
  for (let times = 0; times < 2; times++) {
    await world.server.stop('SIGKILL');
    await world.server.run();
  }
  await listener.hears(host, guest);
  await guest.hears(host);
  await host.hears(guest);
  for (const person of [host, guest, listener]) await person.connected();
  await showsAll(host, [host, guest], [listener]);
});
