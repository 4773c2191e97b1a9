/**
 * Words. A message is found by place and meaning (`room.hand.raise`), has its plural forms where it counts something
 * (chosen by `Intl.PluralRules` of `n`), and `{name}` where a value goes. English is built in, the others are loaded.
 *
 * It lacks markup inside messages on purpose: a screen puts elements together, a message is text.
 */
import { signal } from '@preact/signals';
import { codeOf } from '../api/problem';
import { type Catalogue, en, type Key } from './en';

export const LOCALES = ['en', 'zh'] as const;
export type Locale = (typeof LOCALES)[number];
/** Each in its own language. */
export const LOCALE_NAMES: Record<Locale, string> = { en: 'English', zh: '中文' };

const LOADERS: Record<Locale, () => Promise<Catalogue>> = {
  en: async () => en,
  zh: async () => (await import('./zh')).zh,
};

export const locale = signal<Locale>('en');
const catalogue = signal<Catalogue>(en);

type Params = Record<string, string | number>;

export function t(key: Key, params: Params = {}): string {
  const message = catalogue.value[key];
  const text = typeof message === 'string' ? message : plural(message, Number(params.n));
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    return typeof value === 'number' ? number(value) : (value ?? '');
  });
}

function plural(forms: { one?: string; other: string }, n: number): string {
  const rule = new Intl.PluralRules(locale.value).select(n);
  return (rule === 'one' ? forms.one : undefined) ?? forms.other;
}

export function number(value: number): string {
  return new Intl.NumberFormat(locale.value).format(value);
}

/** Where there is little room: `1.2K`. */
export function shortNumber(value: number): string {
  return new Intl.NumberFormat(locale.value, { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
];

export function ago(at_ms: number, now_ms: number): string {
  const format = new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto', style: 'short' });
  const age = Math.min(0, at_ms - now_ms);
  const [unit, length] = UNITS.find(([, ms]) => Math.abs(age) >= ms) ?? ['minute', 60_000];
  return format.format(Math.trunc(age / length), unit);
}

export function date(at_ms: number): string {
  return new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium' }).format(at_ms);
}

export function dateAndTime(at_ms: number): string {
  return new Intl.DateTimeFormat(locale.value, { dateStyle: 'long', timeStyle: 'short' }).format(at_ms);
}

/** The name of a BCP 47 tag, in the person's language. */
export function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames(locale.value, { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** What went wrong, in words that say what to do. */
export function problemText(error: unknown): string {
  const key = `problem.${codeOf(error)}`;
  return t(key in en ? (key as Key) : 'problem.unknown');
}

/** The wish of the person, else of the browser, else English. */
export function pickLocale(wish: string, browser: readonly string[]): Locale {
  const tags = [wish, ...browser].map((tag) => tag.toLowerCase().split('-')[0]);
  return tags.map((tag) => LOCALES.find((known) => known === tag)).find((known) => known !== undefined) ?? 'en';
}

let wishes = 0;

/** Takes the words of a language; where they cannot be had, those that are there stay. The last wish counts. */
export async function useLocale(next: Locale): Promise<void> {
  const wish = ++wishes;
  const words = await LOADERS[next]().catch(() => undefined);
  if (!words || wish !== wishes) return;
  catalogue.value = words;
  locale.value = next;
  document.documentElement.lang = next === 'zh' ? 'zh-Hans' : next;
}
