import { describe, expect, test, vi } from 'vitest';

// These modules look at the page when they are loaded.
vi.stubGlobal('location', { pathname: '/', origin: 'https://mitalk.example' });
vi.stubGlobal('navigator', { language: 'en-GB' });

const { parse, personPath } = await import('../../src/state/route');
const { hueOf, initials } = await import('../../src/ui/portrait');
const { likelyPrefix } = await import('../../src/ui/calling-codes');
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
});

describe('lists in pages', () => {
  test('pages add up, and a reload starts again', async () => {
    const pages: Record<string, { items: number[]; next_cursor?: string }> = {
      '': { items: [1, 2], next_cursor: 'a' },
      a: { items: [3] },
    };
    const list = new PagedList<number>(async (cursor) => pages[cursor ?? ''] ?? { items: [] });
    await list.reload();
    expect(list.more.value).toBe(true);
    await list.next();
    expect(list.items.value).toEqual([1, 2, 3]);
    expect(list.more.value).toBe(false);
    await list.reload();
    expect(list.items.value).toEqual([1, 2]);
  });

  test('an answer that was overtaken is dropped', async () => {
    const answers: ((items: number[]) => void)[] = [];
    const list = new PagedList<number>(() => new Promise((done) => answers.push((items) => done({ items }))));
    const first = list.reload();
    const second = list.reload();
    answers[1]?.([2]);
    answers[0]?.([1]);
    await Promise.all([first, second]);
    expect(list.items.value).toEqual([2]);
  });
});
