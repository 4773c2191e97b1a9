/**
 * Short words at the edge of the screen, and words for the ear only. What is announced is coalesced: a screen reader
 * that is told ten things a second says none of them.
 */
import { signal } from '@preact/signals';
import { problemText } from '../i18n';

const SHOWN_MS = 5_000;
const COALESCE_MS = 1_000;
const MAX_TOASTS = 3;
const MAX_ANNOUNCED = 3;

export interface Toast {
  id: number;
  text: string;
  action?: { label: string; run(): void };
}

export const toasts = signal<readonly Toast[]>([]);
export const announced = signal('');
/** A modal dialog is open: what is outside it is neither heard nor reached. */
export const modal = signal(false);

let counter = 0;
let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;

export function toast(text: string, action?: Toast['action']): void {
  const id = ++counter;
  toasts.value = [...toasts.value.filter((other) => other.text !== text).slice(1 - MAX_TOASTS), { id, text, action }];
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((other) => other.id !== id);
}

export function announce(text: string): void {
  waiting = [...waiting, text].slice(-MAX_ANNOUNCED);
  if (timer !== undefined) return;
  timer = setTimeout(() => {
    announced.value = waiting.join(' ');
    waiting = [];
    timer = undefined;
    // Said once: it is not read again where a dialog opens or closes, and the same words can come again.
    clearTimeout(silence);
    silence = setTimeout(() => {
      announced.value = '';
    }, SHOWN_MS);
  }, COALESCE_MS);
}

/** Runs what may fail, and says so if it does. */
export async function attempt<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    toast(problemText(error));
    return undefined;
  }
}
