/** The end of a list that comes in pages: the next one, or why it did not come. */
import { problemText, t } from '../i18n';
import type { PagedList } from '../state/list';
import { Button } from './button';

export function More<Item>({ list }: { list: PagedList<Item> }) {
  if (!list.more.value) return null;
  return (
    <>
      {list.moreError.value ? (
        <p class="note wrong" role="alert">
          {problemText(list.moreError.value)}
        </p>
      ) : null}
      <Button wide onPress={() => list.next()}>
        {t('common.show_more')}
      </Button>
    </>
  );
}
