import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { en } from '../../src/i18n/en';
import { zh } from '../../src/i18n/zh';

type Message = string | { one?: string; other: string };
const catalogues: Record<string, Record<string, Message>> = { en, zh };
const src = fileURLToPath(new URL('../../src/', import.meta.url));
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file));

const texts = (message: Message): string[] => (typeof message === 'string' ? [message] : Object.values(message));
const places = (message: Message) =>
  [...new Set(texts(message).flatMap((text) => text.match(/\{\w+\}/g) ?? []))].sort();

describe.each(Object.keys(catalogues))('%s', (locale) => {
  const catalogue = catalogues[locale] ?? {};

  test('has every key of English and no other', () => {
    expect(Object.keys(catalogue).sort()).toEqual(Object.keys(en).sort());
  });

  test('puts in the same values as English, and says something everywhere', () => {
    for (const [key, message] of Object.entries(en as Record<string, Message>)) {
      const here = catalogue[key] ?? '';
      const optional = (list: string[]) => list.filter((name) => name !== '{n}' || typeof message === 'string');
      expect(optional(places(here)), key).toEqual(optional(places(message)));
      for (const text of texts(here)) expect(text.trim(), key).not.toBe('');
    }
  });

  test('has the plural forms that its language needs', () => {
    const needed = new Intl.PluralRules(locale).resolvedOptions().pluralCategories;
    for (const [key, message] of Object.entries(catalogue)) {
      if (typeof message !== 'string') expect(Object.keys(message), key).toEqual(expect.arrayContaining([...needed]));
    }
  });

  test('does not shout', () => {
    for (const [key, message] of Object.entries(catalogue)) {
      for (const text of texts(message)) expect(text, key).not.toMatch(/[!！]/);
    }
  });
});

/** Attributes that people read or hear. */
const SPOKEN = new Set(['aria-label', 'title', 'label', 'placeholder', 'alt', 'hint', 'text', 'note']);

function hardCoded(file: string): string[] {
  const code = readFileSync(src + file, 'utf8');
  const tree = ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node) && /\p{L}/u.test(node.text)) found.push(node.text.trim());
    if (ts.isJsxAttribute(node) && SPOKEN.has(node.name.getText()) && node.initializer) {
      if (ts.isStringLiteral(node.initializer) && /\p{L}/u.test(node.initializer.text)) found.push(node.getText());
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

test('no text is written into a screen', () => {
  const screens = sources.filter((file) => file.endsWith('.tsx'));
  expect(screens.length).toBeGreaterThan(20);
  for (const file of screens) expect(hardCoded(file), file).toEqual([]);
});

test('every message is used', () => {
  const code = sources
    .map((file) => readFileSync(src + file, 'utf8'))
    .filter((text) => !text.includes('satisfies Record<string, string | Plural>'));
  const all = code.filter((text) => !text.includes('zh: Catalogue')).join('\n');
  /** Keys whose last part is chosen at run time. */
  const families = [
    'problem.',
    'invite.over.',
    'invites.status.',
    'mic.',
    'push.kind.',
    'push.state.',
    'room.left.',
    'room.left_note.',
    'room.moderate.',
    'settings.theme.',
  ];
  const unused = Object.keys(en).filter(
    (key) => !all.includes(`'${key}'`) && !families.some((family) => key.startsWith(family)),
  );
  expect(unused).toEqual([]);
});
