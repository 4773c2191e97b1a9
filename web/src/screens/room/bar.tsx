/** The bottom edge: one big action that changes with the role, and the quiet way out. */
import type { RoomSnapshot } from '../../api/types';
import { shortNumber, t } from '../../i18n';
import { type MainAction, mainAction } from '../../state/rights';
import { leave } from '../../state/room';
import { answerStage, setHand, setMuted, stepBack } from '../../state/room-actions';
import { closeRoom } from '../../state/route';
import { microphone } from '../../state/voice';
import { Button, IconButton } from '../../ui/button';
import { Icon } from '../../ui/icon';

interface BarProps {
  room: RoomSnapshot;
  me: string;
  onHands: () => void;
}

export function Bar({ room, me, onHands }: BarProps) {
  const action = mainAction(room, me);
  const onStage = action === 'mute' || action === 'unmute';
  return (
    <footer class="room-bar">
      {action === 'invited' && <Invitation />}
      {action === 'lower' && room.my_hand && (
        <p class="bar-note" role="status">
          {t('room.hand.place', { n: room.my_hand })}
        </p>
      )}
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

/** What shows at once holds up no next press: the one button becomes its own opposite. */
function Main({ action }: { action: MainAction }) {
  switch (action) {
    case 'mute':
      return (
        <Button kind="live" icon="mic" wide shortcut="M" onPress={() => void setMuted(true)}>
          {t('room.mute')}
        </Button>
      );
    case 'unmute':
      return (
        <Button
          kind="primary"
          icon="mic_off"
          wide
          shortcut="M"
          busy={microphone.opening.value}
          onPress={() => void setMuted(false)}
        >
          {microphone.opening.value ? t('room.mic_opening') : t('room.unmute')}
        </Button>
      );
    case 'lower':
      return (
        <Button kind="quiet" icon="hand" wide pressed shortcut="H" onPress={() => void setHand(false)}>
          {t('room.hand.lower')}
        </Button>
      );
    case 'raise':
      return (
        <Button kind="primary" icon="hand" wide shortcut="H" onPress={() => void setHand(true)}>
          {t('room.hand.raise')}
        </Button>
      );
    case 'hands_off':
      return (
        <Button icon="hand" wide disabled>
          {t('room.hand.off')}
        </Button>
      );
    case 'invited':
      return (
        <>
          <Button kind="plain" onPress={() => answerStage(false)}>
            {t('room.invitation.decline')}
          </Button>
          <Button kind="live" icon="mic" wide onPress={() => answerStage(true)}>
            {t('room.invitation.accept')}
          </Button>
        </>
      );
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
    <button type="button" class="button leave" title={t('room.leave')} aria-keyshortcuts="L" onClick={leaveQuietly}>
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
