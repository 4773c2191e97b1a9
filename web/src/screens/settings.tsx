/** What people look for: language, looks, sound, devices, signing out. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { now_ms } from '../api/clock';
import { me as meRoutes } from '../api/routes';
import type { Device } from '../api/types';
import { ago, LOCALE_NAMES, LOCALES, locale, t } from '../i18n';
import { signOut } from '../state/account';
import { change, settings, type Theme } from '../state/settings';
import { attempt } from '../state/toasts';
import { Button } from '../ui/button';
import { Choice, Switch } from '../ui/field';
import { Icon } from '../ui/icon';
import { Page } from '../ui/page';
import { YourAccount } from './leaving';
import { Notifications } from './notifications';
import { Sound } from './sound-settings';

export function SettingsScreen() {
  const themes: Theme[] = ['system', 'light', 'dark'];
  return (
    <Page title={t('settings.title')} backTo="/you">
      <div class="form">
        <Choice
          label={t('settings.language')}
          value={locale.value}
          options={LOCALES.map((value) => ({ value, label: LOCALE_NAMES[value] }))}
          onChange={(value) => change({ locale: value })}
        />
        <Choice
          label={t('settings.theme')}
          value={settings.value.theme}
          options={themes.map((value) => ({ value, label: t(`settings.theme.${value}`) }))}
          onChange={(theme) => change({ theme })}
        />
        <Switch
          label={t('settings.sounds')}
          note={t('settings.sounds_note')}
          on={settings.value.sounds}
          onChange={(sounds) => change({ sounds })}
        />
        <Switch
          label={t('settings.shortcuts')}
          note={t('settings.shortcuts_note')}
          on={settings.value.shortcuts}
          onChange={(shortcuts) => change({ shortcuts })}
        />
        <Sound />
        <Notifications />
        <Devices />
        <YourAccount />
        <Button icon="sign_out" wide onPress={signOut}>
          {t('settings.sign_out')}
        </Button>
      </div>
    </Page>
  );
}

function Devices() {
  const devices = useSignal<Device[]>([]);
  const load = () =>
    attempt(async () => {
      devices.value = (await meRoutes.devices()).devices;
    });
  useEffect(() => void load(), []);
  const revoke = async (device: Device) => {
    await attempt(() => meRoutes.revoke(device.id));
    await load();
  };
  return (
    <section>
      <h2>{t('settings.devices')}</h2>
      <ul class="rows">
        {devices.value.map((device) => (
          <li class="invite-row" key={device.id}>
            <Icon name="device" />
            <span class="who">
              <strong>{device.name}</strong>
              <small>{device.current ? t('settings.this_device') : ago(device.seen_at_ms, now_ms())}</small>
            </span>
            {!device.current && (
              <Button small kind="plain" onPress={() => revoke(device)}>
                {t('settings.revoke')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
