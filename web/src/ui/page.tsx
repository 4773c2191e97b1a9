/** The frame of a screen: a heading that takes the focus on arrival, a way back, and what lists say when they are empty. */
import type { ComponentChildren } from 'preact';
import { t } from '../i18n';
import { back, route } from '../state/route';
import { useArrival, useTitle } from './arrival';
import { IconButton } from './button';
import { Icon, type IconName } from './icon';

interface PageProps {
  title: string;
  /** Where back leads to on a deep link; a place of the bar has none. */
  backTo?: string;
  actions?: ComponentChildren;
  /** Takes several columns of cards on a desk. */
  broad?: boolean;
  children: ComponentChildren;
}

export function Page({ title, backTo, actions, broad, children }: PageProps) {
  const heading = useArrival();
  // A room over it has the title; it comes back when the room goes.
  const covered = route.value.name === 'room';
  useTitle(covered ? null : title);
  return (
    <div class={`page${broad ? ' broad' : ''}`}>
      <header class="page-head">
        {backTo && <IconButton icon="back" label={t('common.back')} onPress={() => back(backTo)} />}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {actions && <div class="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface EmptyProps {
  icon: IconName;
  title: string;
  text?: string;
  /** The whole page is this. */
  whole?: boolean;
  children?: ComponentChildren;
}

export function Empty({ icon, title, text, whole, children }: EmptyProps) {
  return (
    <div class="empty">
      <Icon name={icon} size={32} />
      {whole ? <h1>{title}</h1> : <h2>{title}</h2>}
      {text && <p>{text}</p>}
      {children}
    </div>
  );
}

export function Loading() {
  return (
    <div class="loading" role="status">
      <span class="spinner" />
      <span class="for-ear">{t('common.loading')}</span>
    </div>
  );
}

export function Tags({ items }: { items: readonly string[] }) {
  if (items.length === 0) return null;
  return (
    <ul class="tags">
      {items.map((item) => (
        <li key={item}>{item}</li>
      ))}
    </ul>
  );
}
