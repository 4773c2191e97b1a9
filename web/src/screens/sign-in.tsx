/** A phone number, then the code that was sent to it. The answer never says whether the number has an account. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { auth } from '../api/routes';
import type { CodeSent } from '../api/types';
import { LOCALE_NAMES, LOCALES, locale, problemText, t } from '../i18n';
import { pendingInvite, verify } from '../state/account';
import { change } from '../state/settings';
import { useTitle } from '../ui/arrival';
import { Button } from '../ui/button';
import { likelyPrefix } from '../ui/calling-codes';
import { Field } from '../ui/field';
import { Hero, Welcome } from '../ui/welcome';

const CODE_LENGTH = 6;

export function SignIn() {
  const phone = useSignal(likelyPrefix(navigator.languages));
  const sent = useSignal<CodeSent | null>(null);
  useTitle('');
  return (
    <Welcome footer={<LocaleSwitch />}>
      <div class="welcome-card">
        <Hero />
        {sent.value ? (
          <CodeStep
            phone={phone.value}
            sent={sent.value}
            onBack={() => (sent.value = null)}
            onResent={(s) => (sent.value = s)}
          />
        ) : (
          <PhoneStep phone={phone} onSent={(s) => (sent.value = s)} />
        )}
      </div>
    </Welcome>
  );
}

function PhoneStep({ phone, onSent }: { phone: Signal<string>; onSent: (sent: CodeSent) => void }) {
  const error = useSignal<string | null>(null);
  const busy = useSignal(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    try {
      onSent(await auth.code(phone.value));
    } catch (thrown) {
      error.value = problemText(thrown);
    } finally {
      busy.value = false;
    }
  };
  return (
    <form onSubmit={submit} noValidate>
      <h1>{t('sign_in.title')}</h1>
      <p class="lead">{pendingInvite.value ? t('sign_in.lead_invited') : t('sign_in.lead')}</p>
      <Field
        label={t('sign_in.phone')}
        hint={t('sign_in.phone_hint')}
        value={phone}
        error={error.value}
        input={{ type: 'tel', autocomplete: 'tel', inputMode: 'tel', name: 'phone' }}
      />
      <Button type="submit" kind="primary" wide busy={busy.value}>
        {t('sign_in.send_code')}
      </Button>
    </form>
  );
}

interface CodeStepProps {
  phone: string;
  sent: CodeSent;
  onBack: () => void;
  onResent: (sent: CodeSent) => void;
}

function CodeStep({ phone, sent, onBack, onResent }: CodeStepProps) {
  const code = useSignal('');
  const error = useSignal<string | null>(null);
  const busy = useSignal(false);
  const form = useRef<HTMLFormElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  // At once: digits that are typed before the next picture count.
  useLayoutEffect(() => form.current?.querySelector('input')?.focus(), []);
  const submit = async (event?: Event) => {
    event?.preventDefault();
    if (busy.value || code.value.length !== CODE_LENGTH) return;
    busy.value = true;
    try {
      await verify(phone, code.value);
    } catch (thrown) {
      error.value = problemText(thrown);
      code.value = '';
    } finally {
      busy.value = false;
    }
  };
  const typed = (event: InputEvent) => {
    code.value = (event.currentTarget as HTMLInputElement).value.replace(/\D/g, '').slice(0, CODE_LENGTH);
    if (code.value.length === CODE_LENGTH) void submit();
  };
  return (
    <form ref={form} onSubmit={submit} noValidate>
      <h1 ref={heading}>{t('sign_in.code_title')}</h1>
      <p class="lead">{t('sign_in.code_lead', { phone })}</p>
      <Field
        label={t('sign_in.code')}
        value={code}
        error={error.value}
        input={{
          class: 'code-input',
          name: 'code',
          inputMode: 'numeric',
          autocomplete: 'one-time-code',
          pattern: '[0-9]*',
          onInput: typed,
        }}
      />
      <Button type="submit" kind="primary" wide busy={busy.value} disabled={code.value.length !== CODE_LENGTH}>
        {t('sign_in.continue')}
      </Button>
      <div class="row spread">
        <Button kind="plain" small onPress={onBack}>
          {t('sign_in.other_number')}
        </Button>
        <Resend phone={phone} sent={sent} onResent={onResent} onError={(text) => (error.value = text)} />
      </div>
    </form>
  );
}

interface ResendProps {
  phone: string;
  sent: CodeSent;
  onResent: (sent: CodeSent) => void;
  onError: (text: string) => void;
}

function Resend({ phone, sent, onResent, onError }: ResendProps) {
  const left = useSignal(sent.resend_after_s);
  useEffect(() => {
    left.value = sent.resend_after_s;
    const timer = setInterval(() => {
      left.value = Math.max(0, left.value - 1);
    }, 1000);
    return () => clearInterval(timer);
  }, [sent]);
  const again = () =>
    auth.code(phone).then(onResent, (thrown: unknown) => {
      onError(problemText(thrown));
    });
  return (
    <Button kind="plain" small disabled={left.value > 0} onPress={again}>
      {left.value > 0 ? t('sign_in.resend_in', { n: left.value }) : t('sign_in.resend')}
    </Button>
  );
}

export function LocaleSwitch() {
  return (
    <div class="locales">
      {LOCALES.map((known) => (
        <button
          type="button"
          key={known}
          lang={known}
          aria-pressed={known === locale.value}
          onClick={() => change({ locale: known })}
        >
          {LOCALE_NAMES[known]}
        </button>
      ))}
    </div>
  );
}
