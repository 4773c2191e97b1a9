/** The room while one looks at something else: who speaks, mute, leave; a tap opens it again. */
import { t } from '../../i18n';
import { myId } from '../../state/account';
import { speakers } from '../../state/levels';
import { connection, farewell, room, roomId } from '../../state/room';
import { setMuted } from '../../state/room-actions';
import { memberOf } from '../../state/room-reducer';
import { roomPath } from '../../state/route';
import { IconButton } from '../../ui/button';
import { Faces } from '../../ui/people';
import { leaveQuietly } from './bar';

const FACES = 3;

export function MiniPlayer() {
  const view = room.value;
  const id = roomId.value;
  if (!id) return <Ended />;
  const member = view ? memberOf(view, myId.value) : undefined;
  const faces = speakers.value.length > 0 ? speakers.value : (view?.stage.map((other) => other.person) ?? []);
  return (
    <aside class="mini" aria-label={t('room.mini')}>
      <a class="mini-main" href={roomPath(id)}>
        <Faces people={faces.slice(0, FACES)} />
        <span class="who">
          <strong>{view?.title ?? t('room.connecting')}</strong>
          <small>
            {connection.value === 'reconnecting'
              ? t('room.reconnecting_short')
              : (speakers.value[0]?.name ?? t('room.nobody_speaks'))}
          </small>
        </span>
      </a>
      {member && (
        <IconButton
          icon={member.muted ? 'mic_off' : 'mic'}
          kind={member.muted ? '' : 'on-air'}
          label={member.muted ? t('room.unmute') : t('room.mute')}
          onPress={() => setMuted(!member.muted)}
        />
      )}
      <IconButton icon="leave" kind="leave" label={t('room.leave')} onPress={leaveQuietly} />
    </aside>
  );
}

/** It ended while one looked elsewhere. */
function Ended() {
  const gone = farewell.value;
  if (!gone) return null;
  return (
    <div class="mini" role="status">
      <a class="mini-main" href={roomPath(gone.id)}>
        <span class="who">
          <strong>{t(`room.left.${gone.why}`)}</strong>
          <small>{gone.room?.title}</small>
        </span>
      </a>
      <IconButton
        icon="close"
        label={t('common.dismiss')}
        onPress={() => {
          farewell.value = null;
        }}
      />
    </div>
  );
}
