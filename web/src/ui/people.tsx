/** People in lists: a portrait, a name, a line. */
import type { ComponentChildren } from 'preact';
import type { PersonBrief } from '../api/types';
import { t } from '../i18n';
import { personPath } from '../state/route';
import { Portrait } from './portrait';

interface RowProps {
  person: PersonBrief;
  /** Instead of the headline. */
  note?: ComponentChildren;
  children?: ComponentChildren;
  onPress?: () => void;
}

export function PersonRow({ person, note, children, onPress }: RowProps) {
  const body = (
    <>
      <Portrait person={person} size="medium" />
      <span class="who">
        <strong>{person.name || t('person.unnamed')}</strong>
        <small>{note ?? (person.headline || (person.handle ? `@${person.handle}` : ''))}</small>
      </span>
    </>
  );
  return (
    <li class="person-row">
      {onPress ? (
        <button type="button" class="person-main" onClick={onPress}>
          {body}
        </button>
      ) : (
        <a class="person-main" href={personPath(person)}>
          {body}
        </a>
      )}
      {children}
    </li>
  );
}

/** Overlapping portraits, for the ear nothing: the names stand beside them. */
export function Faces({ people }: { people: readonly PersonBrief[] }) {
  return (
    <span class="faces">
      {people.map((person) => (
        <Portrait key={person.id} person={person} size="small" />
      ))}
    </span>
  );
}
