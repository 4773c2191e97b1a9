/** What the service says of itself: when it ends. Asked at the start, when the page is seen again, and now and then. */
import { computed, signal } from '@preact/signals';
import { now_ms } from '../api/clock';
import { service } from '../api/routes';

const ASK_AGAIN_MS = 10 * 60_000;

export const sunsetAt = signal<number | null>(null);
const clock = signal(now_ms());
export const over = computed(() => sunsetAt.value !== null && sunsetAt.value <= clock.value);

export function watchService(): void {
  const look = async () => {
    if (document.visibilityState !== 'visible') return;
    // Whoever cannot ask now keeps what was said last.
    const said = await service.get().catch(() => undefined);
    if (said) sunsetAt.value = said.sunset_at_ms ?? null;
    clock.value = now_ms();
  };
  document.addEventListener('visibilitychange', () => void look());
  setInterval(() => void look(), ASK_AGAIN_MS);
  void look();
}
