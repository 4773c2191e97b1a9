import { describe, expect, test, vi } from 'vitest';

// These modules look at the page when they are loaded.
vi.stubGlobal('location', { pathname: '/', origin: 'https://mitalk.example' });
vi.stubGlobal('navigator', { language: 'en-GB' });
vi.stubGlobal('addEventListener', () => undefined);
vi.stubGlobal('localStorage', { getItem: () => null });

const { parse, personPath } = await import('../../src/state/route');
const { hueOf, initials } = await import('../../src/ui/portrait');
const { likelyPrefix } = await import('../../src/ui/calling-codes');
const { tagsOf } = await import('../../src/ui/tag-field');
const { Intention } = await import('../../src/api/client');
const clock = await import('../../src/api/clock');
const { ago, locale, useLocale } = await import('../../src/i18n');
const { PagedList } = await import('../../src/state/list');

describe('routes', () => {
  test('places and deep links', () => {
    expect(parse('/')).toEqual({ name: 'hallway' });
    expect(parse('/you/edit')).toEqual({ name: 'edit' });
    expect(parse('/r/eu123')).toEqual({ name: 'room', id: 'eu123' });
    expect(parse('/r/eu123', '#a%2Fb')).toEqual({ name: 'room', id: 'eu123', key: 'a/b' });
    expect(parse('/u/ann')).toEqual({ name: 'person', handle: 'ann' });
    expect(parse('/i/a%20b')).toEqual({ name: 'invite', code: 'a b' });
  });

  test('anything else is missing, and never an error', () => {
    for (const path of ['/r', '/r/', '/r/a/b', '/nope', '/nope/x', '/r/%'])
      expect(parse(path)).toEqual({ name: 'missing' });
  });

  test('people without a handle are found by their id', () => {
    expect(personPath({ id: 'x', handle: 'ann' })).toBe('/u/ann');
    expect(personPath({ id: 'x' })).toBe('/u/~x');
  });
});

describe('portraits', () => {
  test('initials of one, two and many words, in any script', () => {
    expect(['Ann', 'Ann Lee', 'Ann Mary Lee', '李雷', ' ', '👩‍🚀 Ann'].map(initials)).toEqual([
      'A',
      'AL',
      'AL',
      '李',
      '',
      '👩A',
    ]);
  });

  test('colours are stable and spread', () => {
    const hues = new Set(Array.from({ length: 50 }, (_, index) => hueOf(`eu${index}`)));
    expect(hueOf('eu1')).toBe(hueOf('eu1'));
    expect(hues.size).toBeGreaterThan(30);
  });
});

test('the calling code is guessed from the language', () => {
  expect(likelyPrefix(['de-DE', 'en'])).toBe('+49 ');
  expect(likelyPrefix(['zh'])).toBe('+86 ');
  expect(likelyPrefix([])).toBe('+');
  expect(likelyPrefix(['not a language', 'it'])).toBe('+39 ');
});

test('words are taken apart where they were typed or pasted together', () => {
  expect(tagsOf('a, b,a,,c ', ['b'], 10, 30)).toEqual(['b', 'a', 'c']);
  expect(tagsOf('支付、招聘，产品', [], 10, 30)).toEqual(['支付', '招聘', '产品']);
  expect(tagsOf('a,b,c', ['x'], 3, 30)).toEqual(['x', 'a', 'b']);
  expect(tagsOf('abcdef', [], 3, 4)).toEqual(['abcd']);
  expect(tagsOf('https://maps.example/@52.5,13.4', [], 5, 200, true)).toEqual(['https://maps.example/@52.5,13.4']);
});

test('all tries of one content share a key, and other content has another one', () => {
  const intention = new Intention();
  const first = intention.keyOf({ title: 'a' });
  expect(intention.keyOf({ title: 'a' })).toBe(first);
  const other = intention.keyOf({ title: 'b' });
  expect(other).not.toBe(first);
  intention.done();
  expect(intention.keyOf({ title: 'b' })).not.toBe(other);
});

test('how long ago is told by the clock of the server, and never lies in the future', () => {
  clock.heard(new Response(null, { headers: { date: new Date(Date.now() + 86_400_000).toUTCString() } }));
  expect(Math.abs(clock.now_ms() - Date.now() - 86_400_000)).toBeLessThan(1_500);
  clock.heard(new Response(null));
  expect(ago(clock.now_ms() - 2 * 3_600_000, clock.now_ms())).toMatch(/2 hr/);
  expect(ago(clock.now_ms() + 3_600_000, clock.now_ms())).toBe(ago(0, 0));
});

test('the last wish for a language counts, and one that cannot be had changes nothing', async () => {
  vi.stubGlobal('document', { documentElement: {} });
  await Promise.all([useLocale('zh'), useLocale('en')]);
  expect(locale.value).toBe('en');
  await useLocale('zh');
  expect(locale.value).toBe('zh');
  await useLocale('en');
});

describe('lists in pages', () => {
  const itself = (item: number) => item;

  test('pages add up, and a reload starts again', async () => {
    const pages: Record<string, { items: number[]; next_cursor?: string }> = {
      '': { items: [1, 2], next_cursor: 'a' },
      a: { items: [3] },
    };
    const list = new PagedList<number>(async (cursor) => pages[cursor ?? ''] ?? { items: [] }, itself);
    await list.reload();
    expect(list.more.value).toBe(true);
    await list.next();
    expect(list.items.value).toEqual([1, 2, 3]);
    expect(list.more.value).toBe(false);
  });

  /** So many numbers, three a page; the list may move between two pages. */
  function numbers(count: number) {
    const server = { all: Array.from({ length: count }, (_, index) => index), asked: 0, down: false };
    const list = new PagedList<number>(async (cursor) => {
      server.asked++;
      if (server.down) throw new Error('down');
      const from = cursor ? server.all.indexOf(Number(cursor)) + 1 : 0;
      const items = server.all.slice(from, from + 3);
      return { items, next_cursor: from + 3 < server.all.length ? String(items.at(-1)) : null };
    }, itself);
    return { list, server };
  }

  test('a reload brings back as much as was shown', async () => {
    const { list, server } = numbers(7);
    await list.reload();
    await list.next();
    server.all = [9, ...server.all.slice(1)];
    await list.reload();
    expect(list.items.value).toEqual([9, 1, 2, 3, 4, 5]);
    await list.next();
    expect(list.items.value).toEqual([9, 1, 2, 3, 4, 5, 6]);
  });

  test('a reload of a long list asks for few pages and keeps what is below them', async () => {
    const { list, server } = numbers(40);
    await list.reload();
    for (let pages = 0; pages < 8; pages++) await list.next();
    server.all = [99, ...server.all];
    server.asked = 0;
    await list.reload();
    expect(server.asked).toBe(4);
    expect(list.items.value).toEqual([99, ...Array.from({ length: 27 }, (_, index) => index)]);
    await list.next();
    expect(list.items.value?.slice(-3)).toEqual([27, 28, 29]);
  });

  test('nothing is in it twice when the list moved between two pages', async () => {
    const { list, server } = numbers(6);
    await list.reload();
    server.all = [9, 0, 2, 1, 3, 4];
    await list.next();
    expect(list.items.value).toEqual([0, 1, 2, 3, 4]);
  });

  test('a next page that does not come is said, and can be had later', async () => {
    const { list, server } = numbers(6);
    await list.reload();
    server.down = true;
    await list.next();
    expect(list.moreError.value).not.toBeNull();
    expect(list.items.value).toEqual([0, 1, 2]);
    server.down = false;
    await list.next();
    expect(list.moreError.value).toBeNull();
    expect(list.items.value).toHaveLength(6);
  });

  test('a next page is not overtaken by a reload', async () => {
    const { list } = numbers(6);
    await list.reload();
    await Promise.all([list.next(), list.reload()]);
    expect(list.items.value).toHaveLength(6);
  });

  test('an answer that was overtaken is dropped', async () => {
    const answers: ((items: number[]) => void)[] = [];
    const list = new PagedList<number>(() => new Promise((done) => answers.push((items) => done({ items }))), itself);
    const first = list.reload();
    const second = list.reload();
    answers[1]?.([2]);
    answers[0]?.([1]);
    await Promise.all([first, second]);
    expect(list.items.value).toEqual([2]);
  });
});
