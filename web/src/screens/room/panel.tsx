/**
 * What is shown where a room goes, as a sheet on a phone and as a column on a desk: the room one is in, the room that a
 * link leads to, or how the last one ended.
 */
import { computed } from '@preact/signals';
import { t } from '../../i18n';
import { connection, farewell, room, roomId } from '../../state/room';
import { route } from '../../state/route';
import { Button } from '../../ui/button';
import { Loading } from '../../ui/page';
import { leaveQuietly } from './bar';
import { FarewellScreen } from './farewell';
import { RoomHead } from './head';
import { Live } from './live';
import { Preview } from './preview';

/** Something to show where a room goes. */
export const roomShown = computed(
  () => route.value.name === 'room' || roomId.value !== null || farewell.value !== null,
);

export function RoomPanel() {
  const current = route.value;
  const asked = current.name === 'room' ? current.id : null;
  const here = roomId.value;
  const gone = farewell.value;
  if (asked && asked !== here && gone?.id !== asked) return <Preview key={asked} id={asked} />;
  if (here) return room.value ? <Live room={room.value} /> : <Connecting />;
  return gone && <FarewellScreen farewell={gone} />;
}

function Connecting() {
  return (
    <div class="room">
      <RoomHead />
      <div class="room-wait" role="status">
        <Loading />
        <p>{connection.value === 'reconnecting' ? t('room.reconnecting') : t('room.connecting')}</p>
        <Button icon="leave" onPress={leaveQuietly}>
          {t('room.leave')}
        </Button>
      </div>
    </div>
  );
}
