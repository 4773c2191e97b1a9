/** Starts the app: words, wishes, the account, the screen, and the worker that keeps the shell for the next visit. */
import './style/tokens.css';
import './style/base.css';
import './style/controls.css';
import './style/fields.css';
import './style/people.css';
import './style/screens.css';
import './style/welcome.css';
import './style/room.css';
import './style/bar.css';
import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './app';
import { pickLocale, useLocale } from './i18n';
import { startLevels } from './state/levels';
import { startRouting } from './state/route';
import { settings, startSettings } from './state/settings';
import { start } from './state/start';
import { startUpdates } from './state/update';

async function main(): Promise<void> {
  startSettings();
  startRouting();
  const wished = () => pickLocale(settings.value.locale, navigator.languages);
  await useLocale(wished());
  start();
  startLevels();
  effect(() => void useLocale(wished()));
  const root = document.getElementById('app');
  if (root) render(<App />, root);
  if (import.meta.env.PROD) await startUpdates();
}

void main();
