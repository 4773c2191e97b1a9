/** Opens a room: a title is enough. */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { Intention } from '../api/client';
import { rooms } from '../api/routes';
import type { HandRaising, Visibility } from '../api/types';
import { locale, t } from '../i18n';
import { join } from '../state/room';
import { go, roomPath } from '../state/route';
import { attempt } from '../state/toasts';
import { Button } from '../ui/button';
import { Choice, Field, Select } from '../ui/field';
import { languageOptions } from '../ui/languages';
import { Page } from '../ui/page';
import { TagField } from '../ui/tag-field';

export const MAX_TITLE = 60;
const MAX_TOPICS = 3;
const MAX_TOPIC = 30;

export function NewRoom() {
  const title = useSignal('');
  const topics = useSignal<string[]>([]);
  const language = useSignal<string>(locale.value);
  const visibility = useSignal<Visibility>('open');
  const hands = useSignal<HandRaising>('everyone');
  const busy = useSignal(false);
  const intention = useRef(new Intention());
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!title.value.trim() || busy.value) return;
    busy.value = true;
    const body = {
      title: title.value.trim(),
      topics: topics.value,
      language: language.value,
      visibility: visibility.value,
      hand_raising: hands.value,
    };
    const room = await attempt(() => rooms.create(body, intention.current.keyOf(body)));
    busy.value = false;
    if (!room) return;
    join(room.id);
    go(roomPath(room.id), 'replace');
  };
  return (
    <Page title={t('new_room.title')} backTo="/">
      <form class="form" onSubmit={submit}>
        <Field
          label={t('new_room.what')}
          hint={t('new_room.what_hint')}
          value={title}
          max={MAX_TITLE}
          input={{ required: true, autocomplete: 'off', enterkeyhint: 'done' }}
        />
        <TagField
          label={t('new_room.topics')}
          hint={t('new_room.topics_hint')}
          value={topics}
          most={MAX_TOPICS}
          maxLength={MAX_TOPIC}
        />
        <Select
          label={t('new_room.language')}
          value={language.value}
          options={languageOptions()}
          onChange={(value) => (language.value = value)}
        />
        <VisibilityChoice value={visibility.value} onChange={(value) => (visibility.value = value)} />
        <HandsChoice value={hands.value} onChange={(value) => (hands.value = value)} />
        <Button type="submit" kind="primary" wide busy={busy.value} disabled={!title.value.trim()}>
          {t('new_room.start')}
        </Button>
      </form>
    </Page>
  );
}

export function VisibilityChoice({ value, onChange }: { value: Visibility; onChange: (value: Visibility) => void }) {
  return (
    <Choice
      label={t('new_room.who_enters')}
      value={value}
      onChange={onChange}
      options={[
        { value: 'open', label: t('new_room.open'), note: t('new_room.open_note') },
        { value: 'social', label: t('new_room.social'), note: t('new_room.social_note') },
        { value: 'closed', label: t('new_room.closed'), note: t('new_room.closed_note') },
      ]}
    />
  );
}

export function HandsChoice({ value, onChange }: { value: HandRaising; onChange: (value: HandRaising) => void }) {
  return (
    <Choice
      label={t('new_room.who_asks')}
      hint={t('new_room.hands_note')}
      value={value}
      onChange={onChange}
      options={[
        { value: 'everyone', label: t('new_room.hands_everyone') },
        { value: 'followed', label: t('new_room.hands_followed') },
        { value: 'off', label: t('new_room.hands_off') },
      ]}
    />
  );
}
