/** The top edge of a room: out of the way (chevron, swipe down or Escape), and what else one may do. */
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { t } from '../../i18n';
import { back } from '../../state/route';
import { IconButton } from '../../ui/button';

const SWIPE_PX = 80;

export function RoomHead({ children }: { children?: ComponentChildren }) {
  const from = useRef<number | null>(null);
  return (
    <header
      class="room-head"
      onTouchStart={(event) => {
        from.current = event.touches[0]?.clientY ?? null;
      }}
      onTouchEnd={(event) => {
        const to = event.changedTouches[0]?.clientY;
        if (from.current !== null && to !== undefined && to - from.current > SWIPE_PX) minimise();
        from.current = null;
      }}
    >
      <span class="minimise">
        <IconButton icon="down" label={t('room.minimise')} onPress={minimise} />
      </span>
      <div class="room-actions">{children}</div>
    </header>
  );
}

export function minimise(): void {
  back('/');
}
