/**
 * What the app says in passing: seen at the edge, heard politely. A modal dialog makes everything outside it inert, for
 * the eye, the finger and the ear: so there is one of these in the page and one in each dialog, and the innermost speaks.
 */
import { t } from '../i18n';
import { announced, dismiss, modal, toasts } from '../state/toasts';
import { IconButton } from './button';

export function Toasts({ inDialog = false }: { inDialog?: boolean }) {
  const here = inDialog === modal.value;
  return (
    <>
      <div class="toasts" role="status">
        {(here ? toasts.value : []).map((toast) => (
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
        {here && announced.value}
      </div>
    </>
  );
}
