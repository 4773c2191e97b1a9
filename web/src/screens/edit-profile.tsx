/** The profile: in full for those who want it, name and handle only for those who have just arrived. */
import { type Signal, signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ApiError } from '../api/problem';
import { me as meRoutes } from '../api/routes';
import type { ProfilePatch } from '../api/types';
import { problemText, t } from '../i18n';
import { me, myId, needsSetup, setMe } from '../state/account';
import { back, route } from '../state/route';
import { toast } from '../state/toasts';
import { Button } from '../ui/button';
import { Field, Switch } from '../ui/field';
import { languageOptions } from '../ui/languages';
import { Page } from '../ui/page';
import { Portrait } from '../ui/portrait';
import { TagField } from '../ui/tag-field';
import { Welcome } from '../ui/welcome';

const MAX = { name: 50, handle: 20, headline: 100, company: 60, bio: 1000, offer: 140, topic: 30, link: 200 };
const MOST = { topics: 10, languages: 8, links: 5 };

const drafts = new Map<string, Signal<unknown>>();

/**
 * What is typed outlives the screen: who is let in while they fill in their profile finds it in the next one. It goes when
 * the person goes elsewhere.
 */
function useDraft<T>(field: string, stored: T): Signal<T> {
  const key = `${myId.value} ${field}`;
  const found = (drafts.get(key) as Signal<T> | undefined) ?? signal(stored);
  drafts.set(key, found as Signal<unknown>);
  return found;
}

function dropDrafts(): void {
  if (route.value.name !== 'edit' && !needsSetup.value) drafts.clear();
}

/** Saves what changed; the handle apart, because it can be taken. */
function useProfileForm() {
  const account = me.value;
  const profile = account?.profile;
  const name = useDraft('name', profile?.name ?? '');
  const handle = useDraft('handle', profile?.handle ?? '');
  useEffect(() => dropDrafts, []);
  const handleError = useSignal<string | null>(null);
  const busy = useSignal(false);
  const save = async (patch: ProfilePatch): Promise<boolean> => {
    busy.value = true;
    handleError.value = null;
    try {
      const wanted = handle.value.trim().replace(/^@/, '').toLowerCase();
      if (wanted && wanted !== me.value?.profile.handle) setMe(await meRoutes.handle(wanted));
      setMe(await meRoutes.patch(patch));
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.code.startsWith('handle_')) handleError.value = problemText(error);
      else toast(problemText(error));
      return false;
    } finally {
      busy.value = false;
    }
  };
  return { name, handle, handleError, busy, save };
}

function NameAndHandle({ form }: { form: ReturnType<typeof useProfileForm> }) {
  return (
    <>
      <Field
        label={t('profile.name')}
        value={form.name}
        max={MAX.name}
        input={{ autocomplete: 'name', name: 'name' }}
      />
      <Field
        label={t('profile.handle')}
        hint={t('profile.handle_hint')}
        error={form.handleError.value}
        prefix="@"
        value={form.handle}
        max={MAX.handle}
        input={{ autocomplete: 'off', autocapitalize: 'none', spellcheck: false, name: 'handle' }}
      />
    </>
  );
}

export function Setup() {
  const form = useProfileForm();
  const headline = useDraft('headline', me.value?.profile.headline ?? '');
  const ready = form.name.value.trim() && form.handle.value.trim();
  const submit = (event: Event) => {
    event.preventDefault();
    if (ready && !form.busy.value) void form.save({ name: form.name.value.trim(), headline: headline.value.trim() });
  };
  return (
    <Welcome>
      <form class="welcome-card" onSubmit={submit} noValidate>
        <div class="centre">
          <Portrait person={{ id: me.value?.id ?? '', name: form.name.value }} size="huge" />
        </div>
        <h1>{t('setup.title')}</h1>
        <p class="lead">{t('setup.lead')}</p>
        <NameAndHandle form={form} />
        <Field label={t('profile.headline')} hint={t('profile.headline_hint')} value={headline} max={MAX.headline} />
        <Button type="submit" kind="primary" wide busy={form.busy.value} disabled={!ready}>
          {t('setup.done')}
        </Button>
      </form>
    </Welcome>
  );
}

export function EditProfile() {
  const form = useProfileForm();
  const profile = me.value?.profile;
  const text = {
    headline: useDraft('headline', profile?.headline ?? ''),
    company: useDraft('company', profile?.company ?? ''),
    bio: useDraft('bio', profile?.bio ?? ''),
    offering: useDraft('offering', profile?.offering ?? ''),
    looking_for: useDraft('looking_for', profile?.looking_for ?? ''),
  };
  const lists = {
    topics: useDraft('topics', profile?.topics ?? []),
    languages: useDraft('languages', profile?.languages ?? []),
    links: useDraft('links', profile?.links ?? []),
  };
  const shown = useDraft('shown', me.value?.shown_as_inviter ?? true);
  const home = me.value?.standing === 'waiting' ? '/' : '/you';
  const submit = async (event: Event) => {
    event.preventDefault();
    if (form.busy.value) return;
    const saved = await form.save({
      name: form.name.value.trim() || undefined,
      headline: text.headline.value.trim(),
      company: text.company.value.trim(),
      bio: text.bio.value.trim(),
      offering: text.offering.value.trim(),
      looking_for: text.looking_for.value.trim(),
      topics: lists.topics.value,
      languages: lists.languages.value,
      links: lists.links.value,
      shown_as_inviter: shown.value,
    });
    if (!saved) return;
    toast(t('profile.saved'));
    back(home);
  };
  return (
    <Page title={t('profile.title')} backTo={home}>
      <form class="form" onSubmit={submit} noValidate>
        <NameAndHandle form={form} />
        <Field
          label={t('profile.headline')}
          hint={t('profile.headline_hint')}
          value={text.headline}
          max={MAX.headline}
        />
        <Field
          label={t('profile.company')}
          value={text.company}
          max={MAX.company}
          input={{ autocomplete: 'organization' }}
        />
        <Field label={t('person.offering')} hint={t('profile.offering_hint')} value={text.offering} max={MAX.offer} />
        <Field
          label={t('person.looking_for')}
          hint={t('profile.looking_hint')}
          value={text.looking_for}
          max={MAX.offer}
        />
        <Field label={t('profile.bio')} value={text.bio} max={MAX.bio} multiline />
        <TagField
          label={t('profile.topics')}
          hint={t('profile.topics_hint')}
          value={lists.topics}
          most={MOST.topics}
          maxLength={MAX.topic}
        />
        <Languages value={lists.languages} />
        <TagField
          label={t('profile.links')}
          hint={t('profile.links_hint')}
          value={lists.links}
          most={MOST.links}
          maxLength={MAX.link}
          commas
        />
        <Switch
          label={t('profile.shown_as_inviter')}
          note={t('profile.shown_as_inviter_note')}
          on={shown.value}
          onChange={(on) => (shown.value = on)}
        />
        <Button type="submit" kind="primary" wide busy={form.busy.value}>
          {t('profile.save')}
        </Button>
      </form>
    </Page>
  );
}

function Languages({ value }: { value: Signal<string[]> }) {
  const toggle = (tag: string, on: boolean) => {
    value.value = on ? [...value.value, tag] : value.value.filter((other) => other !== tag);
  };
  return (
    <fieldset class="choice many">
      <legend>{t('profile.languages')}</legend>
      <div class="options">
        {languageOptions().map(({ value: tag, label }) => (
          <label key={tag}>
            <input
              type="checkbox"
              checked={value.value.includes(tag)}
              disabled={!value.value.includes(tag) && value.value.length >= MOST.languages}
              onChange={(event) => toggle(tag, event.currentTarget.checked)}
            />
            <span class="option">{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
