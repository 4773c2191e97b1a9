/** One's data and the account itself: taking it along, moving it to another number, having it deleted. */
import { useSignal } from '@preact/signals';
import { me as meRoutes } from '../api/routes';
import { date, problemText, t } from '../i18n';
import { me, setMe } from '../state/account';
import { over } from '../state/service';
import { attempt, toast } from '../state/toasts';
import { Button } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { Field } from '../ui/field';

const CODE_LENGTH = 6;
const ARCHIVE = 'mitalk-data.zip';

export function YourAccount() {
  const open = useSignal<'number' | 'deletion' | null>(null);
  const close = () => (open.value = null);
  const deletionAt = me.value?.deletion_at_ms;
  return (
    <section class="stack">
      <h2>{t('leaving.title')}</h2>
      <Button wide disabled={over.value} onPress={takeAlong}>
        {t('leaving.export')}
      </Button>
      <Button wide onPress={() => (open.value = 'number')}>
        {t('leaving.number')}
      </Button>
      {deletionAt ? (
        <Deletion at_ms={deletionAt} />
      ) : (
        <Button kind="danger" wide onPress={() => (open.value = 'deletion')}>
          {t('leaving.delete')}
        </Button>
      )}
      {open.value === 'number' && <NumberDialog onClose={close} />}
      {open.value === 'deletion' && <DeletionDialog onClose={close} />}
    </section>
  );
}

/** That the account will be deleted, and the way to keep it: in the settings, and over every screen. */
export function Deletion({ at_ms }: { at_ms: number }) {
  const keep = () => attempt(async () => setMe(await meRoutes.stay()));
  return (
    <div class="banner warn">
      <span>{t('leaving.deleted_on', { date: date(at_ms) })}</span>
      <Button small onPress={keep}>
        {t('leaving.keep')}
      </Button>
    </div>
  );
}

async function takeAlong(): Promise<void> {
  const archive = await attempt(() => meRoutes.export());
  if (!archive) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(archive);
  link.download = ARCHIVE;
  link.click();
  URL.revokeObjectURL(link.href);
}

function DeletionDialog({ onClose }: { onClose: () => void }) {
  const leave = () =>
    attempt(async () => {
      setMe(await meRoutes.leave());
      onClose();
    });
  return (
    <Dialog title={t('leaving.delete')} onClose={onClose}>
      <div class="panel danger-panel">
        <p>{t('leaving.delete_note')}</p>
        <div class="row">
          <Button onPress={onClose}>{t('common.cancel')}</Button>
          <Button kind="danger" wide onPress={leave}>
            {t('leaving.delete_sure')}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function NumberDialog({ onClose }: { onClose: () => void }) {
  const phone = useSignal('+');
  const code = useSignal('');
  const currentCode = useSignal('');
  const sent = useSignal(false);
  const error = useSignal<string | null>(null);
  const attemptTo = async (event: Event, run: () => Promise<void>) => {
    event.preventDefault();
    error.value = await run().then(() => null, problemText);
  };
  const sendCodes = (event: Event) =>
    attemptTo(event, async () => {
      await meRoutes.numberCode(phone.value);
      await meRoutes.numberCode();
      sent.value = true;
    });
  const change = (event: Event) =>
    attemptTo(event, async () => {
      setMe(await meRoutes.number(phone.value, code.value, currentCode.value));
      toast(t('leaving.number_changed'));
      onClose();
    });
  const digits = {
    inputMode: 'numeric',
    autocomplete: 'one-time-code',
    pattern: '[0-9]*',
    maxLength: CODE_LENGTH,
  } as const;
  const complete = code.value.length === CODE_LENGTH && currentCode.value.length === CODE_LENGTH;
  return (
    <Dialog title={t('leaving.number')} onClose={onClose}>
      {sent.value ? (
        <form class="form" onSubmit={change} noValidate>
          <p>{t('leaving.number_codes')}</p>
          <Field
            label={t('leaving.number_code', { phone: phone.value })}
            value={code}
            error={error.value}
            input={digits}
          />
          <Field label={t('leaving.number_own_code')} value={currentCode} input={digits} />
          <Button type="submit" kind="primary" wide disabled={!complete}>
            {t('leaving.number_confirm')}
          </Button>
        </form>
      ) : (
        <form class="form" onSubmit={sendCodes} noValidate>
          <p>{t('leaving.number_note')}</p>
          <Field
            label={t('leaving.number_new')}
            hint={t('sign_in.phone_hint')}
            value={phone}
            error={error.value}
            input={{ type: 'tel', autocomplete: 'tel', inputMode: 'tel' }}
          />
          <Button type="submit" kind="primary" wide>
            {t('leaving.number_send')}
          </Button>
        </form>
      )}
    </Dialog>
  );
}
