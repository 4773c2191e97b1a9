/** Buttons: one look for the main thing, a quiet one for the rest, `live` for "your turn", `danger` for what hurts. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { settings } from '../state/settings';
import { Icon, type IconName } from './icon';

export interface ButtonProps {
  children: ComponentChildren;
  kind?: 'primary' | 'quiet' | 'live' | 'danger' | 'plain';
  icon?: IconName;
  small?: boolean;
  wide?: boolean;
  disabled?: boolean;
  busy?: boolean;
  pressed?: boolean;
  /** The key that does the same; shown where there is a keyboard. */
  shortcut?: string;
  type?: 'button' | 'submit';
  onPress?: () => unknown;
}

/** While what it does is under way it takes no second press. */
export function Button(props: ButtonProps) {
  const { children, kind = 'quiet', icon, small, wide, disabled, pressed, shortcut, type = 'button', onPress } = props;
  const [running, setRunning] = useState(false);
  const busy = props.busy || running;
  const press = async () => {
    if (busy || disabled) return;
    const result = onPress?.();
    if (!(result instanceof Promise)) return;
    setRunning(true);
    await result.finally(() => setRunning(false));
  };
  return (
    <button
      type={type}
      class={`button ${kind}${small ? ' small' : ''}${wide ? ' wide' : ''}`}
      disabled={disabled}
      aria-busy={busy}
      aria-pressed={pressed}
      aria-keyshortcuts={settings.value.shortcuts ? shortcut : undefined}
      onClick={press}
    >
      {icon && <Icon name={icon} size={20} />}
      <span>{children}</span>
    </button>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  kind?: string;
  badge?: string;
  onPress: () => unknown;
}

export function IconButton({ icon, label, kind = '', badge, onPress }: IconButtonProps) {
  return (
    <button type="button" class={`icon-button ${kind}`} aria-label={label} title={label} onClick={() => onPress()}>
      <Icon name={icon} />
      {badge && <span class="badge">{badge}</span>}
    </button>
  );
}
