/** Fields: a label that stays, a hint, an error that is tied to the input, and a counter where there is a limit. */
import type { Signal } from '@preact/signals';
import type { ComponentChildren, InputHTMLAttributes } from 'preact';
import { useId } from 'preact/hooks';
import { number } from '../i18n';

interface FieldProps {
  label: string;
  value: Signal<string>;
  hint?: string;
  error?: string | null;
  max?: number;
  multiline?: boolean;
  /** Shown before the input, as `@`. */
  prefix?: string;
  input?: InputHTMLAttributes<HTMLInputElement>;
  /** A button beside the input. */
  children?: ComponentChildren;
}

/** The counter shows up when little is left. */
const COUNTER_AT = 0.8;

export function Field({ label, value, hint, error, max, multiline, prefix, input, children }: FieldProps) {
  const id = useId();
  const text = value.value;
  const notes = error ?? hint;
  const shared = {
    id,
    value: text,
    maxLength: max,
    'aria-invalid': error ? true : undefined,
    'aria-describedby': notes ? `${id}-note` : undefined,
    onInput: (event: InputEvent) => {
      value.value = (event.currentTarget as HTMLInputElement).value;
    },
  } as const;
  return (
    <div class={`field${error ? ' wrong' : ''}`}>
      <label for={id}>{label}</label>
      <div class="beside">
        <div class="box">
          {prefix && (
            <span class="prefix" aria-hidden="true">
              {prefix}
            </span>
          )}
          {multiline ? <textarea rows={3} {...shared} /> : <input {...shared} {...input} />}
        </div>
        {children}
      </div>
      {(notes || (max && text.length > max * COUNTER_AT)) && (
        <p class="note" id={`${id}-note`}>
          <span role={error ? 'alert' : undefined}>{notes}</span>
          {max && text.length > max * COUNTER_AT && (
            <span class="count">
              {number(text.length)}/{number(max)}
            </span>
          )}
        </p>
      )}
    </div>
  );
}

interface ChoiceProps<Value extends string> {
  label: string;
  value: Value;
  options: readonly { value: Value; label: string; note?: string }[];
  hint?: string;
  /** Where the options speak for themselves. */
  bare?: boolean;
  onChange: (value: Value) => void;
}

/** A few choices side by side, or under each other when they need a sentence. */
export function Choice<Value extends string>({ label, value, options, hint, bare, onChange }: ChoiceProps<Value>) {
  const name = useId();
  const stacked = options.some((option) => option.note);
  return (
    <fieldset class={`choice${stacked ? ' stacked' : ''}`}>
      <legend class={bare ? 'for-ear' : ''}>{label}</legend>
      <div class="options">
        {options.map((option) => (
          <label key={option.value}>
            <input type="radio" name={name} checked={option.value === value} onChange={() => onChange(option.value)} />
            <span class="option">
              <span>{option.label}</span>
              {option.note && <small>{option.note}</small>}
            </span>
          </label>
        ))}
      </div>
      {hint && <p class="note">{hint}</p>}
    </fieldset>
  );
}

interface SelectProps {
  label: string;
  value: string;
  options: readonly { value: string; label: string }[];
  onChange: (value: string) => void;
}

export function Select({ label, value, options, onChange }: SelectProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="box">
        <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

export function Switch({
  label,
  note,
  on,
  onChange,
}: {
  label: string;
  note?: string;
  on: boolean;
  onChange: (on: boolean) => void;
}) {
  return (
    <label class="switch">
      <span>
        <span>{label}</span>
        {note && <small>{note}</small>}
      </span>
      <input
        type="checkbox"
        role="switch"
        aria-checked={on}
        checked={on}
        onChange={(event) => {
          const wished = event.currentTarget.checked;
          // It shows what is so: a wish that fails leaves it as it was.
          event.currentTarget.checked = on;
          onChange(wished);
        }}
      />
    </label>
  );
}
