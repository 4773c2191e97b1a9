/** Live rooms: what is talked about, by whom, and how many listen. One tap and one listens too. */
import { useEffect } from 'preact/hooks';
import type { RoomCard } from '../api/types';
import { languageName, shortNumber, t } from '../i18n';
import { me, unread } from '../state/account';
import { hallway } from '../state/hallway';
import { join, roomId } from '../state/room';
import { go, isPlain, roomPath, route } from '../state/route';
import { wide } from '../state/viewport';
import { Button } from '../ui/button';
import { Failed } from '../ui/failed';
import { Icon } from '../ui/icon';
import { More } from '../ui/more';
import { Empty, Loading, Page } from '../ui/page';
import { Faces } from '../ui/people';

export function Hallway() {
  // Looked at again when a room that covered it goes.
  const covered = route.value.name === 'room' && !wide.value;
  useEffect(() => {
    if (!covered) void hallway.reload();
  }, [covered]);
  useEffect(() => {
    const seen = () => document.visibilityState === 'visible' && void hallway.reload();
    document.addEventListener('visibilitychange', seen);
    return () => document.removeEventListener('visibilitychange', seen);
  }, []);
  return (
    <Page
      broad
      title={t('hallway.title')}
      actions={
        <>
          {wide.value && <StartRoom />}
          <Bell />
        </>
      }
    >
      <Elsewhere />
      <Rooms />
      {!wide.value && (
        <div class="floating">
          <StartRoom />
        </div>
      )}
    </Page>
  );
}

/** Under the thumb on a phone, beside the title on a desk. */
function StartRoom() {
  return (
    <Button kind="primary" icon="plus" onPress={() => go('/new')}>
      {t('hallway.start_room')}
    </Button>
  );
}

function Rooms() {
  const rooms = hallway.items.value;
  if (hallway.error.value && !rooms) return <Failed error={hallway.error.value} onRetry={() => hallway.reload()} />;
  if (!rooms) return <Loading />;
  if (rooms.length === 0) return <Empty icon="room" title={t('hallway.empty')} text={t('hallway.empty_note')} />;
  return (
    <>
      <ul class="cards">
        {rooms.map((room) => (
          <Card key={room.id} room={room} />
        ))}
      </ul>
      <More list={hallway} />
    </>
  );
}

function Card({ room }: { room: RoomCard }) {
  const here = roomId.value === room.id;
  const facts = [...room.topics, ...(room.language ? [languageName(room.language)] : [])];
  const names = room.stage.map((person) => person.name);
  return (
    <li>
      <a
        class={`card${here ? ' here' : ''}`}
        href={roomPath(room.id)}
        onClick={(event) => isPlain(event) && join(room.id)}
      >
        {(facts.length > 0 || room.visibility !== 'open') && (
          <p class="facts">
            {room.visibility !== 'open' && <Icon name="lock" size={16} />}
            {facts.join(' · ')}
          </p>
        )}
        <h2>{room.title}</h2>
        <div class="card-people">
          <Faces people={room.stage.slice(0, 4)} />
          <p class="names">{new Intl.ListFormat(document.documentElement.lang, { style: 'short' }).format(names)}</p>
        </div>
        <p class="counts">
          {here && <span class="live-tag">{t('hallway.here')}</span>}
          {!here && room.followed && <span class="known-tag">{t('hallway.followed')}</span>}
          <span>
            <Icon name="mic" size={16} />
            <span aria-hidden="true">{shortNumber(room.stage_count)}</span>
            <span class="for-ear">{t('room.on_stage_count', { n: room.stage_count })}</span>
          </span>
          <span>
            <Icon name="people" size={16} />
            <span aria-hidden="true">{shortNumber(room.audience_count)}</span>
            <span class="for-ear">{t('room.audience_count', { n: room.audience_count })}</span>
          </span>
        </p>
      </a>
    </li>
  );
}

/** In a room on another device: it can be moved here. */
function Elsewhere() {
  const other = me.value?.room;
  if (!other || roomId.value) return null;
  const move = () => {
    join(other);
    go(roomPath(other));
  };
  return (
    <div class="notice-bar">
      <p>{t('hallway.elsewhere')}</p>
      <Button small onPress={move}>
        {t('hallway.move_here')}
      </Button>
    </div>
  );
}

function Bell() {
  const n = unread.value;
  return (
    <a class="icon-button" href="/notices" aria-label={n > 0 ? t('notices.unread', { n }) : t('notices.title')}>
      <Icon name="bell" />
      {n > 0 && <span class="badge">{shortNumber(n)}</span>}
    </a>
  );
}
