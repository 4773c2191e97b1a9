/** A room from outside: what and who, before anybody sees that one is there. The tap also lets the browser play sound. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { mayPass } from '../../api/problem';
import { rooms } from '../../api/routes';
import type { RoomSnapshot } from '../../api/types';
import { languageName, t } from '../../i18n';
import { join } from '../../state/room';
import { keyOf } from '../../state/room-link';
import { go } from '../../state/route';
import { useArrival, useTitle } from '../../ui/arrival';
import { Button } from '../../ui/button';
import { Failed } from '../../ui/failed';
import { Loading, Tags } from '../../ui/page';
import { Faces } from '../../ui/people';
import { RoomHead } from './head';

const SHOWN_FACES = 5;
/** Nobody outside is told of changes, and a room may end while somebody reads about it. */
const LOOK_AGAIN_MS = 10_000;

export function Preview({ id }: { id: string }) {
  const found = useSignal<RoomSnapshot | null>(null);
  const error = useSignal<unknown>(null);
  const load = async () => {
    try {
      found.value = await rooms.get(id, keyOf(id));
      error.value = null;
    } catch (thrown) {
      // What is on the screen is better than a hiccup.
      if (!found.value || !mayPass(thrown)) error.value = thrown;
    }
  };
  useEffect(() => {
    void load();
    const again = () => document.visibilityState === 'visible' && !error.value && void load();
    const timer = setInterval(again, LOOK_AGAIN_MS);
    document.addEventListener('visibilitychange', again);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', again);
    };
  }, [id]);
  const room = found.value;
  return (
    <div class="room">
      <RoomHead />
      {error.value ? (
        <Failed whole error={error.value} icon="lock" onRetry={load}>
          <ToHallway />
        </Failed>
      ) : (
        (room && <Door room={room} />) || <Loading />
      )}
    </div>
  );
}

function Door({ room }: { room: RoomSnapshot }) {
  const heading = useArrival();
  useTitle(room.title);
  const shown = room.stage.slice(0, SHOWN_FACES).map((member) => member.person);
  const names = new Intl.ListFormat(document.documentElement.lang, { style: 'short' });
  return (
    <div class="room-preview">
      <h1 ref={heading} tabIndex={-1}>
        {room.title}
      </h1>
      <Tags items={[...room.topics, ...(room.language ? [languageName(room.language)] : [])]} />
      <div class="preview-people">
        <Faces people={shown} />
        <p>{names.format(shown.map((person) => person.name))}</p>
      </div>
      {room.ended ? (
        <>
          <p role="status">{t('room.left.ended')}</p>
          <ToHallway />
        </>
      ) : (
        <>
          <p class="muted">{t('room.audience_count', { n: room.audience_count })}</p>
          <Button kind="live" icon="audio" wide onPress={() => join(room.id)}>
            {t('room.listen_in')}
          </Button>
          <p class="note">{t('room.seen_note')}</p>
        </>
      )}
    </div>
  );
}

function ToHallway() {
  return (
    <Button kind="primary" onPress={() => go('/', 'replace')}>
      {t('room.to_hallway')}
    </Button>
  );
}
