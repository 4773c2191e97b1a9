/** What everybody has to know wherever they are: that the service ends, that their account will be deleted. */
import { dateAndTime, t } from '../i18n';
import { me } from '../state/account';
import { over, sunsetAt } from '../state/service';
import { Deletion } from './leaving';

export function Banners() {
  const deletionAt = me.value?.deletion_at_ms;
  if (!sunsetAt.value && !deletionAt) return null;
  return (
    <aside class="banners" aria-label={t('app.banners')}>
      {sunsetAt.value && (
        <div class="banner warn">
          <span>{t(over.value ? 'leaving.sunset_over' : 'leaving.sunset', { date: dateAndTime(sunsetAt.value) })}</span>
          {me.value && !over.value && (
            <a class="button quiet small" href="/settings">
              <span>{t('leaving.export')}</span>
            </a>
          )}
        </div>
      )}
      {deletionAt && <Deletion at_ms={deletionAt} />}
    </aside>
  );
}
