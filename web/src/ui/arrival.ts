/** What a new screen does for those who do not look at it: a title for the window, and the focus for its heading. */
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';

/** Beside the app's name; `null` while something else has the title, and `''` for the name alone. */
export function useTitle(title: string | null): void {
  useEffect(() => {
    if (title !== null) document.title = title ? `${title} · ${t('app.name')}` : t('app.name');
  }, [title]);
}

/** The heading takes a focus that nothing else holds. */
export function useArrival(what?: unknown): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const held = document.activeElement;
    if (held === null || held === document.body || !held.isConnected) heading.current?.focus({ preventScroll: true });
  }, [what]);
  return heading;
}
