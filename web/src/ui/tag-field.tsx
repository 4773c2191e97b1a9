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
  /** A comma belongs to the word, as in a link. */
  commas?: boolean;
}

/** The words of a text that was typed or pasted, without those that are there already, as many as there is room for. */
export function tagsOf(
  text: string,
  known: readonly string[],
  most: number,
  maxLength: number,
  commas = false,
): string[] {
  const words = text.split(commas ? /\n/ : /[,，、\n]/).map((word) => word.trim().slice(0, maxLength));
  return [...new Set([...known, ...words.filter(Boolean)])].slice(0, Math.max(most, known.length));
}

export function TagField({ label, hint, value, most, maxLength, commas }: TagFieldProps) {
  const id = useId();
  const draft = useSignal('');
  const full = value.value.length >= most;
  const take = () => {
    if (draft.value.trim()) value.value = tagsOf(draft.value, value.value, most, maxLength, commas);
    draft.value = '';
  };
  const typed = (event: KeyboardEvent) => {
    // Enter also ends a word that is being composed.
    if (event.isComposing || (event.key !== 'Enter' && (commas || event.key !== ','))) return;
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
          maxLength={commas ? maxLength : undefined}
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
