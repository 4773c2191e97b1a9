/** Whom one follows and who follows: found by handle, and the way to invite more. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { people } from '../api/routes';
import type { PersonBrief } from '../api/types';
import { problemText, t } from '../i18n';
import { me, myId } from '../state/account';
import { PagedList } from '../state/list';
import { go, personPath } from '../state/route';
import { Button } from '../ui/button';
import { Failed } from '../ui/failed';
import { Choice, Field } from '../ui/field';
import { Icon } from '../ui/icon';
import { More } from '../ui/more';
import { Empty, Loading, Page } from '../ui/page';
import { PersonRow } from '../ui/people';

type Which = 'following' | 'followers';

export function People() {
  const which = useSignal<Which>('following');
  return (
    <Page title={t('people.title')}>
      <FindByHandle />
      <a class="card-link" href="/invites">
        <Icon name="invite" />
        <span>
          <strong>{t('people.invite')}</strong>
          <small>{t('invites.left', { n: me.value?.invites_left ?? 0 })}</small>
        </span>
        <Icon name="next" size={20} />
      </a>
      <Choice
        bare
        label={t('people.which')}
        value={which.value}
        onChange={(value) => (which.value = value)}
        options={[
          { value: 'following', label: t('people.following') },
          { value: 'followers', label: t('people.followers') },
        ]}
      />
      <PersonList key={which.value} of={myId.value} which={which.value} />
    </Page>
  );
}

function FindByHandle() {
  const handle = useSignal('');
  const error = useSignal<string | null>(null);
  const find = async (event: Event) => {
    event.preventDefault();
    const bare = handle.value.trim().replace(/^@/, '').toLowerCase();
    if (!bare) return;
    try {
      const { profile } = await people.byHandle(bare);
      go(personPath(profile));
    } catch (thrown) {
      error.value = problemText(thrown);
    }
  };
  return (
    <search>
      <form onSubmit={find}>
        <Field
          label={t('people.find')}
          prefix="@"
          value={handle}
          error={error.value}
          input={{ autocomplete: 'off', autocapitalize: 'none', enterkeyhint: 'search' }}
        >
          <Button type="submit" icon="search" disabled={!handle.value.trim()}>
            {t('people.search')}
          </Button>
        </Field>
      </form>
    </search>
  );
}

function PersonList({ of, which }: { of: string; which: Which }) {
  const list = useMemo(
    () =>
      new PagedList<PersonBrief>(
        (cursor) => people.list(of, which, cursor),
        (person) => person.id,
      ),
    [of, which],
  );
  useEffect(() => void list.reload(), [list]);
  const items = list.items.value;
  if (list.error.value && !items) return <Failed error={list.error.value} onRetry={() => list.reload()} />;
  if (!items) return <Loading />;
  if (items.length === 0 && !list.more.value) {
    return which === 'following' ? (
      <Empty icon="people" title={t('people.none_followed')} text={t('people.none_followed_note')} />
    ) : (
      <Empty icon="people" title={t('people.no_followers')} />
    );
  }
  return (
    <>
      <ul class="rows">
        {items.map((person) => (
          <PersonRow key={person.id} person={person} />
        ))}
      </ul>
      <More list={list} />
    </>
  );
}
