/** What this device remembers of the person's wishes. Nothing here is known to the server. */
import { effect, signal } from '@preact/signals';

const KEY = 'mitalk.settings';

export type Theme = 'system' | 'light' | 'dark';

interface Settings {
  locale: string;
  theme: Theme;
  microphone: string;
  loudspeaker: string;
  sounds: boolean;
  /** Single keys in a room. */
  shortcuts: boolean;
}

const DEFAULTS: Settings = {
  locale: '',
  theme: 'system',
  microphone: '',
  loudspeaker: '',
  sounds: true,
  shortcuts: true,
};

function read(): Settings {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Settings>) };
  } catch {
    return DEFAULTS;
  }
}

export const settings = signal<Settings>(read());

export function change(part: Partial<Settings>): void {
  settings.value = { ...settings.value, ...part };
}

export function startSettings(): void {
  effect(() => {
    localStorage.setItem(KEY, JSON.stringify(settings.value));
    const { theme } = settings.value;
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  });
}
