/** The room one is in: what it is about, who speaks, who listens, and the one thing one can do now. */
import { computed, signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { PersonBrief, RoomSnapshot } from '../../api/types';
import { languageName, t } from '../../i18n';
import { blocked, unblock } from '../../media/playback';
import { myId } from '../../state/account';
import { live } from '../../state/live';
import { connection } from '../../state/room';
import { roomLink } from '../../state/room-link';
import { microphone } from '../../state/voice';
import { useTitle } from '../../ui/arrival';
import { Button, IconButton } from '../../ui/button';
import { Icon } from '../../ui/icon';
import { share } from '../../ui/share';
import { Audience } from './audience';
import { Bar } from './bar';
import { HandsDialog } from './hands-dialog';
import { RoomHead } from './head';
import { PersonDialog } from './person-dialog';
import { SettingsDialog } from './settings-dialog';
import { Stage } from './stage';

type Opened = { what: 'person'; person: PersonBrief } | { what: 'hands' | 'settings' };

const opened = signal<Opened | null>(null);
const close = () => {
  opened.value = null;
};

export function Live({ room }: { room: RoomSnapshot }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    heading.current?.focus({ preventScroll: true });
    return close;
  }, [room.id]);
  useTitle(room.title);
  const moderates = room.my_role === 'moderator';
  const look = (person: PersonBrief) => {
    opened.value = { what: 'person', person };
  };
  return (
    <div class="room" data-connection={connection.value} data-role={room.my_role ?? ''}>
      <RoomHead>
        {moderates && <IconButton icon="settings" label={t('room.settings')} onPress={() => open('settings')} />}
        <IconButton icon="share" label={t('room.share')} onPress={() => share(room.title, roomLink(room))} />
      </RoomHead>
      <div class="room-scroll">
        <div class="room-title">
          <h1 ref={heading} tabIndex={-1}>
            {room.title}
          </h1>
          <Facts room={room} />
        </div>
        <Status />
        <Stage room={room} me={myId.value} onPerson={look} />
        <Audience room={room} onPerson={look} />
      </div>
      <Bar room={room} me={myId.value} onHands={() => open('hands')} />
      {opened.value?.what === 'person' && <PersonDialog person={opened.value.person} onClose={close} />}
      {opened.value?.what === 'hands' && <HandsDialog room={room} onClose={close} />}
      {opened.value?.what === 'settings' && <SettingsDialog room={room} onClose={close} />}
    </div>
  );
}

function open(what: 'hands' | 'settings'): void {
  opened.value = { what };
}

function Facts({ room }: { room: RoomSnapshot }) {
  const facts = [...room.topics, ...(room.language ? [languageName(room.language)] : [])];
  const moderators = room.stage.filter(({ role }) => role === 'moderator').map(({ person }) => person.name);
  const names = new Intl.ListFormat(document.documentElement.lang, { style: 'short' }).format(moderators);
  return (
    <>
      <p class="facts">
        {room.visibility !== 'open' && <Icon name="lock" size={16} />}
        {[...facts, t('room.people_count', { n: room.stage.length + room.audience_count })].join(' · ')}
      </p>
      {names && <p class="facts one-line">{t('room.moderated_by', { names })}</p>}
    </>
  );
}

/** Each state has its words, and what the person can do about it. Only the one that matters most is shown. */
const trouble = computed(() => {
  if (blocked.value) return 'blocked' as const;
  if (microphone.error.value) return 'microphone' as const;
  if (connection.value === 'live') return live.state.value === 'open' ? null : ('live' as const);
  return connection.value === 'none' ? null : connection.value;
});

function Status() {
  const what = trouble.value;
  return (
    <div role="status" class="room-status">
      {what === 'connecting' && <p class="banner">{t('room.connecting')}</p>}
      {what === 'reconnecting' && <p class="banner warn">{t('room.reconnecting')}</p>}
      {what === 'live' && <p class="banner">{t('room.sound_goes_on')}</p>}
      {what === 'no_sound' && <p class="banner warn">{t('room.no_sound')}</p>}
      {what === 'microphone' && microphone.error.value && (
        <p class="banner warn">
          <Icon name="mic_off" size={20} />
          <span>{t(`mic.${microphone.error.value}`)}</span>
        </p>
      )}
      {what === 'blocked' && (
        <div class="banner warn">
          <span>{t('room.blocked')}</span>
          <Button kind="live" small icon="audio" onPress={unblock}>
            {t('room.unblock')}
          </Button>
        </div>
      )}
    </div>
  );
}
