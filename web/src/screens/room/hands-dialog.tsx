/** The queue, for moderators: in order of raising, each hand accepted or declined, and who may raise one at all. */
import type { RoomSnapshot } from '../../api/types';
import { ago, t } from '../../i18n';
import { answerHand, changeSettings } from '../../state/room-actions';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Empty } from '../../ui/page';
import { PersonRow } from '../../ui/people';
import { HandsChoice } from '../new-room';

export function HandsDialog({ room, onClose }: { room: RoomSnapshot; onClose: () => void }) {
  const now = Date.now();
  return (
    <Dialog title={t('room.hands.title')} onClose={onClose}>
      {room.hands.length === 0 && <Empty icon="hand" title={t('room.hands.none')} />}
      <ol class="rows">
        {room.hands.map(({ person, raised_at_ms }) => (
          <PersonRow key={person.id} person={person} note={person.headline || ago(raised_at_ms, now)}>
            <span class="row-actions">
              <Button small kind="plain" onPress={() => answerHand(person, false)}>
                {t('room.hands.decline')}
                <span class="for-ear"> {person.name}</span>
              </Button>
              <Button small kind="live" onPress={() => answerHand(person, true)}>
                {t('room.hands.accept')}
                <span class="for-ear"> {person.name}</span>
              </Button>
            </span>
          </PersonRow>
        ))}
      </ol>
      <HandsChoice value={room.hand_raising} onChange={(hand_raising) => void changeSettings({ hand_raising })} />
    </Dialog>
  );
}
