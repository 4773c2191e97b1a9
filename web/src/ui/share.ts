/** Gives a link away: by the phone's own sheet, else by the clipboard. */
import { t } from '../i18n';
import { toast } from '../state/toasts';

export async function share(title: string, path: string): Promise<void> {
  const url = new URL(path, location.origin).href;
  if (navigator.share && matchMedia('(pointer: coarse)').matches) {
    // Closing the sheet without a choice is no error.
    await navigator.share({ title, url }).catch(() => undefined);
    return;
  }
  try {
    await navigator.clipboard.writeText(url);
    toast(t('common.link_copied'));
  } catch {
    toast(url);
  }
}
