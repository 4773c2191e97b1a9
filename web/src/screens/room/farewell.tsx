/** How the room ended for this person, who was there, and what one can do now. */
import { problemText, t } from '../../i18n';
import { myId } from '../../state/account';
import { farewell as current, type Farewell, join } from '../../state/room';
import { go } from '../../state/route';
import { useArrival, useTitle } from '../../ui/arrival';
import { Button } from '../../ui/button';
import { PersonRow } from '../../ui/people';
import { FollowButton } from '../../ui/profile';
import { RoomHead } from './head';

export function FarewellScreen({ farewell }: { farewell: Farewell }) {
  const { why, room, problem, id } = farewell;
  const met = room?.stage.map((member) => member.person).filter((person) => person.id !== myId.value) ?? [];
  const home = () => {
    current.value = null;
    go('/', 'replace');
  };
  const heading = useArrival(why);
  useTitle(t(`room.left.${why}`));
  const again = why === 'moved_device' || why === 'lost_connection' || why === 'removed';
  return (
    <div class="room">
      <RoomHead />
      <div class="room-scroll">
        <div class="empty">
          {room && <p class="muted">{room.title}</p>}
          <h1 ref={heading} tabIndex={-1}>
            {t(`room.left.${why}`)}
          </h1>
          <p>{problem ? problemText(problem) : t(`room.left_note.${why}`)}</p>
          <div class="row centre">
            {again && (
              <Button kind="live" onPress={() => join(id)}>
                {why === 'moved_device' ? t('hallway.move_here') : t('room.join_again')}
              </Button>
            )}
            <Button kind={again ? 'quiet' : 'primary'} onPress={home}>
              {t('room.to_hallway')}
            </Button>
          </div>
        </div>
        {why === 'ended' && met.length > 0 && (
          <section>
            <h2>{t('room.who_was_there')}</h2>
            <ul class="rows">
              {met.map((person) => (
                <PersonRow key={person.id} person={person}>
                  <FollowButton id={person.id} name={person.name} followed={undefined} small />
                </PersonRow>
              ))}
            </ul>
          </section>
        )}
      </div>
    </div>
  );
}
