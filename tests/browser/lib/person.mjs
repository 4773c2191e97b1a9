// One person at one page: does what people do, by roles and accessible names, and says what they see and hear.

import assert from 'node:assert/strict';
import { openPage, setNetwork } from './chromium.mjs';
import { heard, hears, longestGap, setMicrophone, whenHeard } from './ear.mjs';
import { PATIENCE_MS, until } from './wait.mjs';

let numbers = 0;

/** A number that nobody else of this run has; valid, of a German mobile network. */
export const freshPhone = () => `+49151234${String(50_000 + numbers++).padStart(5, '0')}`;

export class Person {
  /** Opens a page for somebody whose microphone is a tone of `hz`. */
  static async open(world, name, { hz = 440, phone = freshPhone(), handle = name.toLowerCase(), ...options } = {}) {
    const page = await openPage(world.browser, { hz, ...options });
    page.setDefaultTimeout(PATIENCE_MS);
    return Object.assign(new Person(), { world, name, phone, handle, page, hz });
  }

  /** Somebody who is let in at once, signed up and in the hallway. */
  static async inside(world, name, { headline, ...options } = {}) {
    const person = await Person.open(world, name, options);
    await world.server.allow(person.phone);
    await person.signUp();
    await person.setUp(headline);
    return person;
  }

  /** A button that can be pressed: not one of the places under a room. */
  button(name, options = {}) {
    return this.page.getByRole('button', { name, ...options }).and(this.page.locator(':not([inert] *)'));
  }

  press(name, options) {
    return this.button(name, options).click();
  }

  field(label) {
    return this.page.getByLabel(label, { exact: true });
  }

  /** Waits until a text is on the screen. */
  async sees(text) {
    const found = this.page.getByText(text).locator('visible=true').first();
    await found.waitFor({ state: 'visible' }).catch(() => {
      throw new Error(`${this.name} never saw ${text} at ${this.page.url()}`);
    });
  }

  async open(route = '/') {
    await this.page.goto(this.world.server.url + route);
  }

  /** Types the number and asks for a code, which is returned. */
  async askForCode() {
    await this.field('Phone number').fill(this.phone);
    return this.world.server.codeAfter(async () => {
      await this.press('Send me a code');
      await this.field('Code').waitFor();
    });
  }

  /** Number, code, in: to the waitlist or to the question for a name. */
  async signUp(route = '/') {
    await this.open(route);
    // Six digits send themselves.
    await this.field('Code').fill(await this.askForCode());
    await this.field('Code').waitFor({ state: 'detached' });
  }

  /** Name and handle, then the hallway. */
  async setUp(headline) {
    await this.nameYourself(headline);
    await this.inHallway();
  }

  async nameYourself(headline = '') {
    await this.field('Name').fill(this.name);
    await this.field('Handle').fill(this.handle);
    await this.field('Headline').fill(headline);
    await this.press('Come in');
  }

  async inHallway() {
    // Under a room it is there as well, out of reach.
    await this.page.locator('.places:not([inert])').getByRole('heading', { name: 'Hallway' }).waitFor();
  }

  /** People ahead in the waitlist, as the screen says. */
  async ahead() {
    const text = await this.page.getByRole('status').filter({ hasText: 'ahead of you' }).textContent();
    return Number(/[\d,]+/.exec(text)[0].replaceAll(',', ''));
  }

  /** Starts a room and speaks. */
  async startRoom(title, { visibility, topics = [] } = {}) {
    await this.press('Start a room');
    await this.field('What is it about?').fill(title);
    for (const topic of topics) await this.field('Topics').pressSequentially(`${topic},`);
    if (visibility) await this.page.getByText(visibility).click();
    await this.press('Start the room');
    await this.inRoom(title);
    this.room = new URL(this.page.url()).pathname;
    await this.unmute();
  }

  /** Enters a room from the hallway. */
  async enter(title) {
    await this.page.getByRole('link', { name: title }).click();
    await this.inRoom(title);
  }

  /** Presses a button that shares a link, and takes the link from the clipboard, once another one is there than before. */
  async shares(button) {
    const clipboard = () => this.page.evaluate(() => navigator.clipboard.readText());
    const before = await clipboard();
    return until(async () => {
      await this.press(button);
      await this.sees('Link copied');
      const copied = await clipboard();
      return copied !== before && copied;
    }, { what: 'another link in the clipboard' });
  }

  async inRoom(title) {
    await this.roomPanel.getByRole('heading', { level: 1, name: title }).waitFor();
    await this.connected();
  }

  get roomPanel() {
    return this.page.getByRole('region', { name: 'Room' });
  }

  /** Waits until the room says that its sound flows. */
  connected() {
    return this.page.locator('.room[data-connection="live"]').waitFor();
  }

  async unmute() {
    if (await this.mainAction() === 'Unmute') await this.press('Unmute', { exact: true });
    await this.button('Mute', { exact: true }).waitFor();
  }

  async mute() {
    await this.press('Mute', { exact: true });
    await this.button('Unmute', { exact: true }).waitFor();
  }

  /** The words on the one big button, once there is one. */
  async mainAction() {
    const actions = this.roomPanel.getByRole('button', { name: /^(Mute|Unmute|Raise hand|Lower hand|Come on stage)$/ });
    await actions.first().waitFor();
    return (await actions.first().textContent()).trim();
  }

  /** The page shows it at once; it is up when the server has said so. */
  async raiseHand() {
    const raised = this.page.waitForResponse(response => response.url().endsWith('/hand') && response.ok());
    await this.press('Raise hand');
    await this.sees(/Your hand is up/);
    await raised;
  }

  /** As a moderator: accepts a hand that is up. */
  async acceptHand(person) {
    await this.press(/raised hand/);
    const dialog = this.page.getByRole('dialog', { name: 'Raised hands' });
    await dialog.getByRole('button', { name: `Invite ${person.name}` }).click();
    await this.closeDialog();
  }

  async closeDialog() {
    await this.page.keyboard.press('Escape');
    await this.page.getByRole('dialog').waitFor({ state: 'hidden' });
  }

  async comeOnStage() {
    await this.press('Come on stage');
    await this.button('Unmute', { exact: true }).waitFor();
  }

  /** As a moderator: does something to somebody, by the person's sheet; asked twice where the app asks twice. */
  async moderate(person, action, { sure = false } = {}) {
    await this.roomPanel.getByRole('button', { name: new RegExp(`(?<!\\p{L})${person.name}(?!\\p{L})`, 'u') }).click();
    const dialog = this.page.getByRole('dialog', { name: person.name });
    await dialog.getByRole('button', { name: action, exact: true }).click();
    if (sure) {
      await dialog.getByRole('alert').waitFor();
      await dialog.getByRole('button', { name: action, exact: true }).click();
    }
    await dialog.waitFor({ state: 'hidden' });
  }

  /** Names on stage, in order, as this person sees them. */
  async stage() {
    const names = await this.page.locator('.stage .member-name').allTextContents();
    return names.map(name => (name.trim() === 'You' ? this.name : name.trim()));
  }

  /** Waits until the stage shows exactly these people. */
  async seesOnStage(...people) {
    const expected = people.map(person => person.name).sort();
    let seen = [];
    await until(async () => {
      seen = (await this.stage()).sort();
      return JSON.stringify(seen) === JSON.stringify(expected);
    }, { what: () => `${this.name} to see ${expected} on stage, saw ${seen}` });
  }

  /** Waits until exactly these people are heard, each by their tone. */
  hears(...people) {
    return hears(this.page, people.map(person => person.hz), this.name);
  }

  heard(since) {
    return heard(this.page, since);
  }

  /**
   * Asserts that somebody was never heard since a moment, also for an instant if it is known who may be. A failure says when
   * they were, in ms after it, and beside what.
   */
  async neverHeard(person, since, everybody) {
    const when = await whenHeard(this.page, person.hz, since, everybody?.map(one => one.hz));
    assert.ok(when.length === 0, `${this.name} heard ${person.name}: ${JSON.stringify(when)}`);
  }

  /** Asserts that at no moment since then anything was heard. */
  async heardNothing(since) {
    const loud = (await this.heard(since)).filter(([, tones]) => tones.length > 0);
    assert.deepEqual(loud, [], `${this.name} heard something`);
  }

  longestGap(person, from, to) {
    return longestGap(this.page, person.hz, from, to);
  }

  microphone(settings) {
    return setMicrophone(this.page, settings);
  }

  network(settings) {
    return setNetwork(this.page, settings);
  }
}
