/** The room's settings, for moderators, and its end for everybody. */
import { useSignal } from '@preact/signals';
import type { RoomSnapshot } from '../../api/types';
import { t } from '../../i18n';
import { changeSettings, endRoom } from '../../state/room-actions';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Field } from '../../ui/field';
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
