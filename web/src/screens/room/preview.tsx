/** A room from outside: what and who, before anybody sees that one is there. The tap also lets the browser play sound. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ApiError } from '../../api/problem';
import { rooms } from '../../api/routes';
import type { RoomSnapshot } from '../../api/types';
import { languageName, problemText, t } from '../../i18n';
import { join } from '../../state/room';
import { go } from '../../state/route';
import { Button } from '../../ui/button';
import { Empty, Failed, Loading, Tags } from '../../ui/page';
import { Faces } from '../../ui/people';
import { RoomHead } from './head';

const SHOWN_FACES = 5;

/** A door that is closed stays closed: trying again is offered only where it may help. */
function NoWayIn({ error, onRetry }: { error: unknown; onRetry: () => unknown }) {
  const status = error instanceof ApiError ? error.problem.status : 0;
  if (status < 400 || status >= 500 || status === 429) return <Failed error={error} onRetry={onRetry} />;
  return (
    <Empty whole icon="lock" title={problemText(error)}>
      <Button kind="primary" onPress={() => go('/', 'replace')}>
        {t('room.to_hallway')}
      </Button>
    </Empty>
  );
}

export function Preview({ id }: { id: string }) {
  const found = useSignal<RoomSnapshot | null>(null);
  const error = useSignal<unknown>(null);
  const load = async () => {
    error.value = null;
    try {
      found.value = await rooms.get(id);
    } catch (thrown) {
      error.value = thrown;
    }
  };
  useEffect(() => void load(), [id]);
  const room = found.value;
  return (
    <div class="room">
      <RoomHead />
      {error.value ? <NoWayIn error={error.value} onRetry={load} /> : null}
      {!room && !error.value && <Loading />}
      {room && (
        <div class="room-preview">
          <h1>{room.title}</h1>
          <Tags items={[...room.topics, ...(room.language ? [languageName(room.language)] : [])]} />
          <Faces people={room.stage.slice(0, SHOWN_FACES).map((member) => member.person)} />
          <p>
            {room.stage
              .map((member) => member.person.name)
              .slice(0, SHOWN_FACES)
              .join(', ')}
          </p>
          <p class="muted">{t('room.audience_count', { n: room.audience_count })}</p>
          {room.ended ? (
            <Button kind="primary" wide onPress={() => go('/', 'replace')}>
              {t('room.to_hallway')}
            </Button>
          ) : (
            <Button kind="live" icon="audio" wide onPress={() => join(id)}>
              {t('room.listen_in')}
            </Button>
          )}
          <p class="note">{t('room.seen_note')}</p>
        </div>
      )}
    </div>
  );
}
