/** A few short words: typed, taken with Enter or a comma, taken away one by one. */
import { type Signal, useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from './icon';

interface TagFieldProps {
  label: string;
  hint: string;
  value: Signal<string[]>;
  most: number;
  maxLength: number;
}

export function TagField({ label, hint, value, most, maxLength }: TagFieldProps) {
  const id = useId();
  const draft = useSignal('');
  const full = value.value.length >= most;
  const take = () => {
    const tag = draft.value.replace(/,/g, '').trim();
    if (tag && !full && !value.value.includes(tag)) value.value = [...value.value, tag];
    draft.value = '';
  };
  const typed = (event: KeyboardEvent) => {
    // Enter also ends a word that is being composed.
    if (event.isComposing || (event.key !== 'Enter' && event.key !== ',')) return;
    event.preventDefault();
    take();
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {value.value.length > 0 && (
        <ul class="tags">
          {value.value.map((tag) => (
            <li key={tag}>
              <button
                type="button"
                class="tag-button"
                aria-label={t('common.remove_tag', { name: tag })}
                onClick={() => {
                  value.value = value.value.filter((other) => other !== tag);
                }}
              >
                {tag}
                <Icon name="close" size={16} />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="box">
        <input
          id={id}
          value={draft.value}
          disabled={full}
          maxLength={maxLength}
          aria-describedby={`${id}-note`}
          enterkeyhint="done"
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
          onKeyDown={typed}
          onBlur={take}
        />
      </div>
      <p class="note" id={`${id}-note`}>
        {full ? t('common.tags_full', { n: most }) : hint}
      </p>
    </div>
  );
}
