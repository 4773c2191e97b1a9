/** Microphone and loudspeaker: which, and whether they work. The names are known only after the microphone was allowed. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { Meter } from '../media/meter';
import { devices, type MicError, MicrophoneError, openMicrophone, stopStream } from '../media/microphone';
import { routeTo } from '../media/playback';
import { change, settings } from '../state/settings';
import { Button } from '../ui/button';
import { Select } from '../ui/field';

const METER_EVERY_MS = 80;

export function Sound() {
  const microphones = useSignal<MediaDeviceInfo[]>([]);
  const loudspeakers = useSignal<MediaDeviceInfo[]>([]);
  const load = async () => {
    microphones.value = await devices('audioinput');
    loudspeakers.value = await devices('audiooutput');
  };
  useEffect(() => void load(), []);
  const choose = (device: string) => {
    change({ loudspeaker: device });
    void routeTo(device);
  };
  return (
    <section>
      <h2>{t('settings.sound')}</h2>
      {microphones.value.length > 0 && (
        <Select
          label={t('settings.microphone')}
          value={settings.value.microphone}
          options={options(microphones.value)}
          onChange={(microphone) => change({ microphone })}
        />
      )}
      {loudspeakers.value.length > 0 && (
        <Select
          label={t('settings.loudspeaker')}
          value={settings.value.loudspeaker}
          options={options(loudspeakers.value)}
          onChange={choose}
        />
      )}
      <MicrophoneTest onOpened={load} />
    </section>
  );
}

function options(known: MediaDeviceInfo[]) {
  const named = known.filter((device) => device.deviceId !== 'default');
  return [
    { value: '', label: t('settings.device_default') },
    ...named.map((device) => ({ value: device.deviceId, label: device.label })),
  ];
}

function MicrophoneTest({ onOpened }: { onOpened: () => void }) {
  const stream = useSignal<MediaStream | null>(null);
  const error = useSignal<MicError | null>(null);
  const bar = useRef<HTMLDivElement>(null);
  // Counts what ends a test: a microphone that comes after that is not wanted any more.
  const ended = useRef(0);
  const stop = () => {
    ended.current++;
    stopStream(stream.value ?? undefined);
    stream.value = null;
  };
  useEffect(() => stop, []);
  // The test goes on with the one that was chosen.
  const chosen = settings.value.microphone;
  useEffect(() => {
    if (!stream.value) return;
    stop();
    void begin();
  }, [chosen]);
  useEffect(() => {
    if (!stream.value) return;
    const meter = new Meter(stream.value);
    const timer = setInterval(() => {
      bar.current?.style.setProperty('--level', meter.level().toFixed(2));
    }, METER_EVERY_MS);
    return () => {
      clearInterval(timer);
      meter.close();
    };
  }, [stream.value]);
  const begin = async () => {
    const begun = ended.current;
    try {
      const opened = await openMicrophone(settings.value.microphone || undefined);
      if (begun !== ended.current) {
        stopStream(opened);
        return;
      }
      stream.value = opened;
      error.value = null;
      onOpened();
    } catch (thrown) {
      if (begun === ended.current) error.value = thrown instanceof MicrophoneError ? thrown.code : 'denied';
    }
  };
  return (
    <div class="mic-test">
      <Button icon="mic" onPress={stream.value ? stop : begin}>
        {stream.value ? t('settings.test_stop') : t('settings.test')}
      </Button>
      {stream.value && (
        <>
          <div class="meter" ref={bar} aria-hidden="true" />
          <p class="note">{t('settings.test_note')}</p>
        </>
      )}
      {error.value && (
        <p class="note wrong" role="alert">
          {t(`mic.${error.value}`)}
        </p>
      )}
    </div>
  );
}
