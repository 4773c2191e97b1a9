/** The bottom edge: one big action that changes with the role, and the quiet way out. */
import { useRef } from 'preact/hooks';
import type { RoomSnapshot } from '../../api/types';
import { shortNumber, t } from '../../i18n';
import { type MainAction, mainAction } from '../../state/rights';
import { coming, leave } from '../../state/room';
import { answerStage, setHand, setMuted, stepBack } from '../../state/room-actions';
import { closeRoom } from '../../state/route';
import { settings } from '../../state/settings';
import { microphone } from '../../state/voice';
import { Button, type ButtonProps, IconButton } from '../../ui/button';
import { Icon } from '../../ui/icon';

interface BarProps {
  room: RoomSnapshot;
  me: string;
  onHands: () => void;
}

export function Bar({ room, me, onHands }: BarProps) {
  const action = mainAction(room, me, coming.value);
  const onStage = action === 'mute' || action === 'unmute';
  return (
    <footer class="room-bar">
      {action === 'invited' && <Invitation />}
      {/* Always there: what comes with its region is not read. */}
      <div role="status">
        {action === 'lower' && room.my_hand && <p class="bar-note">{t('room.hand.place', { n: room.my_hand })}</p>}
      </div>
      <div class="bar-row">
        <Leave />
        <Main action={action} />
        {onStage && <IconButton icon="audience" label={t('room.step_back')} onPress={stepBack} />}
        {room.my_role === 'moderator' && (
          <IconButton
            icon="hand"
            label={t('room.hands.open', { n: room.hand_count })}
            badge={room.hand_count > 0 ? shortNumber(room.hand_count) : undefined}
            onPress={onHands}
          />
        )}
      </div>
    </footer>
  );
}

/**
 * One element whatever it does, so that the focus stays on it. What shows at once holds up no next press: the button
 * becomes its own opposite.
 */
function Main({ action }: { action: MainAction }) {
  const main = useRef<HTMLDivElement>(null);
  const decline = () => {
    void answerStage(false);
    main.current?.querySelector<HTMLElement>('.wide')?.focus();
  };
  const { label, ...button } = mainButton(action);
  return (
    <div class="bar-main" ref={main}>
      {action === 'invited' && (
        <Button kind="plain" onPress={decline}>
          {t('room.invitation.decline')}
        </Button>
      )}
      <Button wide {...button}>
        {label}
      </Button>
    </div>
  );
}

function mainButton(action: MainAction): Omit<ButtonProps, 'children'> & { label: string } {
  switch (action) {
    case 'mute':
      return {
        label: t('room.mute'),
        kind: 'live',
        icon: 'mic',
        shortcut: 'M',
        onPress: () => void setMuted(true),
      };
    case 'unmute': {
      const opening = microphone.opening.value;
      const label = opening ? t('room.mic_opening') : t('room.unmute');
      return {
        label,
        kind: 'primary',
        icon: 'mic_off',
        shortcut: 'M',
        busy: opening,
        onPress: () => void setMuted(false),
      };
    }
    case 'lower':
      return {
        label: t('room.hand.lower'),
        icon: 'hand',
        pressed: true,
        shortcut: 'H',
        onPress: () => void setHand(false),
      };
    case 'raise':
      return {
        label: t('room.hand.raise'),
        kind: 'primary',
        icon: 'hand',
        shortcut: 'H',
        onPress: () => void setHand(true),
      };
    case 'hands_off':
      return { label: t('room.hand.off'), icon: 'hand', disabled: true };
    case 'invited':
      return {
        label: t('room.invitation.accept'),
        kind: 'live',
        icon: 'mic',
        onPress: () => void answerStage(true),
      };
    case 'coming':
      return { label: t('room.invitation.coming'), kind: 'live', icon: 'mic', busy: true };
  }
}

function Invitation() {
  return (
    <div class="invitation" role="status">
      <strong>{t('room.invitation.title')}</strong>
      <p>{t('room.invitation.note')}</p>
    </div>
  );
}

/** In words where there is room for them. */
function Leave() {
  return (
    <button
      type="button"
      class="button leave"
      title={t('room.leave')}
      aria-keyshortcuts={settings.value.shortcuts ? 'L' : undefined}
      onClick={leaveQuietly}
    >
      <Icon name="leave" size={20} />
      <span>{t('room.leave_short')}</span>
    </button>
  );
}

/** Nobody is told. */
export function leaveQuietly(): void {
  void leave();
  closeRoom();
}
