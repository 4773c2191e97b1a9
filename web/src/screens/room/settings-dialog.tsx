/** The room's settings, for moderators, and its end for everybody. */
import { useSignal } from '@preact/signals';
import type { RoomSnapshot } from '../../api/types';
import { t } from '../../i18n';
import { changeSettings, endRoom, renewLink } from '../../state/room-actions';
import { roomLink } from '../../state/room-link';
import { toast } from '../../state/toasts';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Field } from '../../ui/field';
import { share } from '../../ui/share';
import { MAX_TITLE, VisibilityChoice } from '../new-room';

export function SettingsDialog({ room, onClose }: { room: RoomSnapshot; onClose: () => void }) {
  const title = useSignal(room.title);
  const sure = useSignal(false);
  const rename = async (event: Event) => {
    event.preventDefault();
    if (title.value.trim()) await changeSettings({ title: title.value.trim() });
  };
  return (
    <Dialog title={t('room.settings')} onClose={onClose}>
      <form onSubmit={rename}>
        <Field label={t('new_room.what')} value={title} max={MAX_TITLE} input={{ autocomplete: 'off' }}>
          <Button type="submit" disabled={!title.value.trim() || title.value.trim() === room.title}>
            {t('room.rename')}
          </Button>
        </Field>
      </form>
      <VisibilityChoice value={room.visibility} onChange={(visibility) => void changeSettings({ visibility })} />
      {room.visibility === 'closed' && <ClosedLink room={room} />}
      {sure.value ? (
        <div class="panel danger-panel">
          <p>{t('room.end_sure')}</p>
          <div class="row">
            <Button onPress={() => (sure.value = false)}>{t('common.cancel')}</Button>
            <Button kind="danger" wide onPress={endRoom}>
              {t('room.end')}
            </Button>
          </div>
        </div>
      ) : (
        <Button kind="danger" wide onPress={() => (sure.value = true)}>
          {t('room.end')}
        </Button>
      )}
    </Dialog>
  );
}

/** Who has the link comes in; a link that went too far can be replaced. */
function ClosedLink({ room }: { room: RoomSnapshot }) {
  const renew = async () => {
    if (await renewLink()) toast(t('room.link_renewed'));
  };
  return (
    <div class="panel">
      <p>{t('room.link_note')}</p>
      <div class="row">
        <Button small icon="share" onPress={() => share(room.title, roomLink(room))}>
          {t('room.link_share')}
        </Button>
        <Button small kind="plain" onPress={renew}>
          {t('room.link_renew')}
        </Button>
      </div>
    </div>
  );
}
