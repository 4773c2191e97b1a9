/** A screen that is new under the finger is also new for the ear: its heading takes a focus that nothing else holds. */
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export function useArrival(what?: unknown): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const held = document.activeElement;
    if (held === null || held === document.body || !held.isConnected) heading.current?.focus({ preventScroll: true });
  }, [what]);
  return heading;
}
