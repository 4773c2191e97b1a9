/**
 * A sheet from the bottom on a phone, a box in the middle on a desk: the browser's own modal dialog, which holds the
 * focus, closes with Escape and gives the focus back.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { modal } from '../state/toasts';
import { IconButton } from './button';
import { Toasts } from './toasts';

interface DialogProps {
  title: string;
  /** The title is only for the ear: the content shows it in its own way. */
  bare?: boolean;
  children: ComponentChildren;
  onClose: () => void;
}

export function Dialog({ title, bare, children, onClose }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    modal.value = true;
    return () => {
      modal.value = false;
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  const outside = (event: MouseEvent) => event.target === dialog.current && onClose();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it; the click is only for the backdrop
    <dialog ref={dialog} class="dialog" aria-labelledby={id} onClose={onClose} onClick={outside}>
      <div class="dialog-body">
        <header class={`dialog-head${bare ? ' bare' : ''}`}>
          <h2 id={id} class={bare ? 'for-ear' : ''}>
            {title}
          </h2>
          <IconButton icon="close" label={t('common.close')} onPress={() => dialog.current?.close()} />
        </header>
        {children}
      </div>
      <Toasts inDialog />
    </dialog>
  );
}
