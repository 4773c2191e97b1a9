/** Languages that people can say they speak; named in the reader's own language by `Intl`. */
import { languageName } from '../i18n';

const TAGS = [
  'en',
  'zh',
  'it',
  'fr',
  'id',
  'de',
  'es',
  'pt',
  'nl',
  'pl',
  'tr',
  'ru',
  'ar',
  'hi',
  'ja',
  'ko',
  'vi',
  'th',
];

export function languageOptions(): { value: string; label: string }[] {
  return TAGS.map((value) => ({ value, label: languageName(value) }));
}
