/** What happened, newest first; seen means read. */
import { useEffect, useRef } from 'preact/hooks';
import { now_ms } from '../api/clock';
import type { Notice } from '../api/types';
import { ago, t } from '../i18n';
import { noticeText } from '../i18n/notices';
import { me } from '../state/account';
import { markRead, notices } from '../state/hallway';
import { personPath, roomPath } from '../state/route';
import { Failed } from '../ui/failed';
import { Icon } from '../ui/icon';
import { More } from '../ui/more';
import { Empty, Loading, Page } from '../ui/page';
import { Portrait } from '../ui/portrait';

export function Notices() {
  // What was unread on arrival keeps its dot while one looks.
  const read = useRef(me.value?.notices_read ?? 0);
  useEffect(() => void notices.reload(), []);
  const items = notices.items.value;
  const newest = items?.[0]?.seq ?? 0;
  useEffect(() => {
    if (!notices.error.value) void markRead(newest);
  }, [newest]);
  return (
    <Page title={t('notices.title')} backTo="/">
      {!items &&
        (notices.error.value ? <Failed error={notices.error.value} onRetry={() => notices.reload()} /> : <Loading />)}
      {items?.length === 0 && <Empty icon="bell" title={t('notices.empty')} text={t('notices.empty_note')} />}
      {items && items.length > 0 && (
        <ul class="rows">
          {items.map((notice) => (
            <Row key={notice.seq} notice={notice} fresh={notice.seq > read.current} />
          ))}
        </ul>
      )}
      <More list={notices} />
    </Page>
  );
}

function Row({ notice, fresh }: { notice: Notice; fresh: boolean }) {
  const { what } = notice;
  const person = 'person' in what ? what.person : 'by' in what ? what.by : undefined;
  const href = 'room' in what ? roomPath(what.room) : person ? personPath(person) : '/';
  return (
    <li class={`person-row${fresh ? ' fresh' : ''}`}>
      <a class="person-main" href={href}>
        {person ? <Portrait person={person} size="medium" /> : <Icon name="check" size={32} />}
        <span class="who">
          <span>{noticeText(notice)}</span>
          <small>{ago(notice.at_ms, now_ms())}</small>
        </span>
        {fresh && <span class="dot" role="img" aria-label={t('notices.new')} />}
      </a>
    </li>
  );
}
