/** Notifications: on this device or not, what of, and when not. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { push } from '../api/routes';
import type { NoticeSettings, PushKind } from '../api/types';
import { t } from '../i18n';
import { clockOf, minuteOf } from '../state/clock-text';
import { askService, pushState, turnOff, turnOn } from '../state/push';
import { attempt } from '../state/toasts';
import { Button } from '../ui/button';
import { Switch } from '../ui/field';

/** Without `admitted`: who sees this is in. */
const KINDS = ['stage_invitation', 'pinged', 'room_started', 'new_follower', 'invite_accepted'] as const;
/** 22:00 to 07:00. */
const NIGHT = { from_minute: 22 * 60, to_minute: 7 * 60 };

export function Notifications() {
  const state = pushState.value;
  const settings = useSignal<NoticeSettings | null>(null);
  useEffect(() => {
    void askService();
    void attempt(async () => {
      settings.value = await push.settings();
    });
  }, []);
  return (
    <section class="stack">
      <h2>{t('push.title')}</h2>
      {(state === 'on' || state === 'off') && (
        <Switch
          label={t('push.here')}
          note={t('push.here_note')}
          on={state === 'on'}
          onChange={(on) => void attempt(on ? turnOn : turnOff)}
        />
      )}
      {state !== 'on' && state !== 'off' && state !== 'unknown' && <p class="note">{t(`push.state.${state}`)}</p>}
      {settings.value && state !== 'service_off' && <Wishes settings={settings as Signal<NoticeSettings>} />}
    </section>
  );
}

/** They count for all devices of the person. */
function Wishes({ settings }: { settings: Signal<NoticeSettings> }) {
  const { off = [], quiet } = settings.value;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const line = useRef({ end: Promise.resolve(), newest: 0, kept: settings.value });
  // One request at a time, and of what was pressed meanwhile only the newest; what the server kept is shown at the end.
  const save = (part: Partial<NoticeSettings>) => {
    settings.value = { ...settings.value, ...part };
    const mine = ++line.current.newest;
    line.current.end = line.current.end.then(async () => {
      if (mine !== line.current.newest) return;
      const kept = await attempt(() => push.set(settings.value));
      line.current.kept = kept ?? line.current.kept;
      if (mine === line.current.newest) settings.value = line.current.kept;
    });
  };
  const setKind = (kind: PushKind, on: boolean) =>
    save({ off: on ? off.filter((other) => other !== kind) : [...off, kind] });
  const hours = quiet ?? { ...NIGHT, zone };
  const setHours = (part: Partial<typeof hours>) => save({ quiet: { ...hours, zone, ...part } });
  return (
    <>
      <fieldset class="switches">
        <legend>{t('push.which')}</legend>
        {KINDS.map((kind) => (
          <Switch
            key={kind}
            label={t(`push.kind.${kind}`)}
            on={!off.includes(kind)}
            onChange={(on) => setKind(kind, on)}
          />
        ))}
      </fieldset>
      <Switch
        label={t('push.quiet')}
        note={t('push.quiet_note')}
        on={Boolean(quiet)}
        onChange={(on) => save({ quiet: on ? { ...hours, zone } : undefined })}
      />
      {quiet && (
        <>
          <div class="row">
            <Time
              label={t('push.quiet_from')}
              minute={quiet.from_minute}
              onChange={(from_minute) => setHours({ from_minute })}
            />
            <Time
              label={t('push.quiet_to')}
              minute={quiet.to_minute}
              onChange={(to_minute) => setHours({ to_minute })}
            />
          </div>
          <p class="note">{t('push.quiet_zone', { zone: quiet.zone.replaceAll('_', ' ') })}</p>
        </>
      )}
    </>
  );
}

function Time({ label, minute, onChange }: { label: string; minute: number; onChange: (minute: number) => void }) {
  return (
    <label class="field">
      <span>{label}</span>
      <span class="box">
        <input
          type="time"
          required
          value={clockOf(minute)}
          onChange={(event) => {
            const chosen = minuteOf(event.currentTarget.value);
            if (chosen !== undefined) onChange(chosen);
          }}
        />
      </span>
    </label>
  );
}

/** Where somebody waits for something: the offer, and then that it was taken. */
export function TellMe() {
  const state = pushState.value;
  useEffect(() => void askService(), []);
  if (state === 'on') return <p class="note">{t('waiting.tell_me_on')}</p>;
  if (state !== 'off') return null;
  return (
    <Button wide onPress={() => attempt(turnOn)}>
      {t('waiting.tell_me')}
    </Button>
  );
}
