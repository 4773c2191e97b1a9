/** The stage: round portraits whose rings are as loud as the voices. */
import type { PersonBrief, RoomSnapshot, StageMember } from '../../api/types';
import { t } from '../../i18n';
import { levelOf } from '../../state/levels';
import { Icon } from '../../ui/icon';
import { SpeakingPortrait } from '../../ui/portrait';

interface StageProps {
  room: RoomSnapshot;
  me: string;
  onPerson: (person: PersonBrief) => void;
}

export function Stage({ room, me, onPerson }: StageProps) {
  return (
    <section aria-labelledby="stage-heading">
      <h2 id="stage-heading" class="for-ear">
        {t('room.stage')}
      </h2>
      <ul class="stage">
        {room.stage.map((member) => (
          <Member key={member.number} member={member} mine={member.person.id === me} onPerson={onPerson} />
        ))}
      </ul>
    </section>
  );
}

function Member({ member, mine, onPerson }: { member: StageMember; mine: boolean; onPerson: StageProps['onPerson'] }) {
  const { person, role, muted, away } = member;
  const name = mine ? t('room.you') : person.name;
  return (
    <li>
      <button
        type="button"
        class={`member${away ? ' away' : ''}`}
        data-person={person.id}
        data-muted={muted}
        onClick={() => onPerson(person)}
      >
        <span class="member-face">
          <SpeakingPortrait person={person} level={levelOf(member.number)} />
          {(muted || away) && (
            <span class="mark">
              <Icon name={away ? 'offline' : 'mic_off'} size={16} />
            </span>
          )}
        </span>
        <span class="member-name">
          {role === 'moderator' && <Icon name="moderator" size={16} />} {name}
        </span>
        {person.headline && <span class="member-line">{person.headline}</span>}
        <span class="for-ear">
          {[role === 'moderator' && t('room.moderator'), away ? t('room.away') : muted && t('room.muted')]
            .filter(Boolean)
            .join(', ')}
        </span>
      </button>
    </li>
  );
}
