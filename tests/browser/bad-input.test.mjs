// What goes wrong on the person's side, and what the app says about it.

import { Person } from './lib/person.mjs';
import { until } from './lib/wait.mjs';
import { scene, useWorld } from './lib/world.mjs';

const world = useWorld();

scene(world, 'a wrong number, a wrong code and a used-up code are explained', async () => {
  const person = await Person.open(world, 'Yara');
  await world.server.allow(person.phone);
  await person.open();
  await person.field('Phone number').fill('+49 12');
  await person.press('Send me a code');
  await person.sees(/not a phone number we can reach/);

  const code = await person.askForCode();
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  await person.field('Code').fill(wrong);
  await person.sees('That code is not right. Check it and try again.');
  await person.field('Code').fill(code);
  await person.sees('What shall people call you?');
});

scene(world, 'too many wrong codes end the code', async () => {
  const person = await Person.open(world, 'Zoe');
  await person.open();
  const code = await person.askForCode();
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  for (let tries = 0; tries < 5; tries++) {
    await person.field('Code').fill(wrong);
    // The app takes the next one when it has emptied the field.
    await until(async () => await person.field('Code').inputValue() === '', { what: 'the answer' });
  }
  await person.field('Code').fill(code);
  await person.sees('That code was tried too often. Get a new one.');
});

scene(world, 'a taken handle and a malformed one are explained', async () => {
  const first = await Person.inside(world, 'Abel');
  const second = await Person.open(world, 'Bela');
  await world.server.allow(second.phone);
  await second.signUp();
  await second.field('Name').fill('Bela');
  await second.field('Handle').fill(first.handle);
  await second.press('Come in');
  await second.sees('That handle is taken. Try another one.');
  await second.field('Handle').fill('1!');
  await second.press('Come in');
  await second.sees(/Use 3 to 20 letters/);
  await second.field('Handle').fill('bela');
  await second.press('Come in');
  await second.inHallway();
});

scene(world, 'a denied microphone is explained, and unmuting works once it is allowed', async () => {
  const host = await Person.inside(world, 'Cleo', { hz: 440 });
  const listener = await Person.inside(world, 'Dora', { hz: 550 });
  await host.microphone({ denied: true });
  await host.press('Start a room');
  await host.field('What is it about?').fill('Silence');
  await host.press('Start the room');
  await host.inRoom('Silence');
  await listener.enter('Silence');
  await host.press('Unmute', { exact: true });
  await host.sees(/Your browser keeps the microphone closed/);
  await host.button('Unmute', { exact: true }).waitFor();
  await listener.hears();
  await host.microphone({ denied: false });
  await host.unmute();
  await listener.hears(host);
});

scene(world, 'links that lead nowhere say so', async () => {
  const person = await Person.inside(world, 'Emil');
  await person.open('/r/zz0000000000000000000000');
  await person.sees(/no such room|leads nowhere|not here/i);
  await person.open('/u/nobody_at_all');
  await person.sees('Nobody here has that handle.');
  await person.open('/somewhere/else');
  await person.sees('Nothing here');
});

scene(world, 'a room that ends while somebody reads about it says so', async () => {
  const host = await Person.inside(world, 'Gita');
  const reader = await Person.inside(world, 'Hugo');
  await host.startRoom('Short story');
  await reader.open(host.room);
  await reader.sees('Listen in');
  await host.press('Room settings');
  await host.press('End the room for everybody');
  await host.press('End the room for everybody');
  await host.sees('The room has ended');
  await reader.sees(/room has ended/);
  await reader.press('To the hallway');
  await reader.inHallway();
});

scene(world, 'an invite that was taken back says so, and is no dead end', async () => {
  const host = await Person.inside(world, 'Iris');
  await host.open('/invites');
  const made = host.page.waitForResponse(response => response.url().endsWith('/v1/invites') && response.status() === 201);
  await host.press('Make a link for one person');
  const { link } = await (await made).json();
  await host.press('Take back');
  await host.sees('Taken back');
  const late = await Person.open(world, 'Jule');
  await late.open(link);
  await late.sees('This invite was taken back');
  await late.press('Sign up with your number');
  await late.sees('Talk with people who know');
  await late.open('/i/nobodyknowsthis');
  await late.sees('There is no such invite');
});

/** Answers requests as an overloaded service does, until the page's routes end. */
const overload = (person, route) => person.page.route(route, request => request.fulfill({
  status: 503,
  contentType: 'application/problem+json',
  headers: { 'retry-after': '9' },
  body: JSON.stringify({ type: 'about:blank', title: 'Overloaded', status: 503, code: 'overloaded', retry_after: 9 }),
}));

scene(world, 'an overloaded service is asked again by itself, when it said to', async () => {
  const person = await Person.inside(world, 'Kai');
  await overload(person, '**/v1/hallway*');
  await person.open('/');
  await person.sees('Very many people are here right now.');
  await person.sees(/Trying again in \d s/);
  await person.page.unrouteAll();
  await person.page.getByText('Very many people').waitFor({ state: 'detached' });
  await person.inHallway();

  await person.open('/settings');
  await person.press('Sign out');
  await person.sees('Phone number');
  await overload(person, '**/v1/auth/code');
  await person.field('Phone number').fill(person.phone);
  await person.press('Send me a code');
  await person.sees('Very many people are here right now.');
});

scene(world, 'a server that is away for a while is waited for', async () => {
  const person = await Person.inside(world, 'Fay');
  await world.server.stop();
  await person.sees('Reconnecting');
  await person.press('Start a room');
  await person.field('What is it about?').fill('Nobody home');
  await person.press('Start the room');
  await person.sees(/No connection/);
  await world.server.run();
  await person.press('Start the room');
  await person.inRoom('Nobody home');
});
