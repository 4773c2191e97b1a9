/** What the app says in passing: seen at the bottom, heard politely. */
import { t } from '../i18n';
import { announced, dismiss, toasts } from '../state/toasts';
import { IconButton } from './button';

export function Toasts() {
  return (
    <>
      <div class="toasts" role="status">
        {toasts.value.map((toast) => (
          <div class="toast" key={toast.id}>
            <p>{toast.text}</p>
            {toast.action && (
              <button
                type="button"
                onClick={() => {
                  dismiss(toast.id);
                  toast.action?.run();
                }}
              >
                {toast.action.label}
              </button>
            )}
            <IconButton icon="close" label={t('common.dismiss')} onPress={() => dismiss(toast.id)} />
          </div>
        ))}
      </div>
      <div class="for-ear" role="status" aria-live="polite">
        {announced.value}
      </div>
    </>
  );
}
