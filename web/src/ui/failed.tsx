/**
 * What could not be had, and what happens now. What may pass is tried again by itself, after as long as the server asks
 * for, and at once when the network comes back; what stays closed says so and offers no second try.
 */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { ApiError, mayPass, NETWORK } from '../api/problem';
import { backoffMs } from '../api/retry';
import { problemText, t } from '../i18n';
import { Button } from './button';
import { Icon, type IconName } from './icon';

const FIRST_WAIT_MS = 5_000;
const MAX_WAIT_MS = 60_000;

interface FailedProps {
  error: unknown;
  onRetry: () => unknown;
  /** For what stays closed: its sign, and where else to go. */
  icon?: IconName;
  /** The whole page is this. */
  whole?: boolean;
  children?: ComponentChildren;
}

export function Failed({ error, onRetry, icon = 'search', whole, children }: FailedProps) {
  const passes = mayPass(error);
  const network = error instanceof ApiError && error.code === NETWORK;
  return (
    <div class="empty">
      <Icon name={!passes ? icon : network ? 'offline' : 'busy'} size={32} />
      <div role="alert">{whole ? <h1>{problemText(error)}</h1> : <h2>{problemText(error)}</h2>}</div>
      {passes ? <Again error={error} onRetry={onRetry} /> : children}
    </div>
  );
}

function Again({ error, onRetry }: Pick<FailedProps, 'error' | 'onRetry'>) {
  const tries = useRef(0);
  const left = useSignal(0);
  useEffect(() => {
    left.value = waitSeconds(error, ++tries.current);
    const timer = setInterval(() => {
      left.value--;
      if (left.value > 0) return;
      clearInterval(timer);
      void onRetry();
    }, 1000);
    addEventListener('online', onRetry);
    return () => {
      clearInterval(timer);
      removeEventListener('online', onRetry);
    };
  }, [error]);
  return (
    <>
      <p class="countdown">{left.value > 0 ? t('common.again_in', { n: left.value }) : t('common.loading')}</p>
      <Button onPress={onRetry}>{t('common.try_again')}</Button>
    </>
  );
}

function waitSeconds(error: unknown, tries: number): number {
  const asked = error instanceof ApiError ? (error.problem.retry_after ?? 0) : 0;
  return Math.max(asked, Math.round(backoffMs(tries, 1, FIRST_WAIT_MS, MAX_WAIT_MS) / 1000));
}
