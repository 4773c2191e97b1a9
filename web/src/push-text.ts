/** What a push says, in the language of the device. Only the service worker has this: it knows none of the app's words. */

/** As the server writes it (`src/push/message.rs`). Fields are only added. */
export interface Push {
  /** The event: two pushes with the same are the same. */
  tag: string;
  kind: string;
  /** Notices that it stands for. */
  count: number;
  who?: string;
  title?: string;
  path: string;
  language: string;
  at_ms: number;
}

interface Words {
  somebody: string;
  more: (n: number) => string;
  news: string;
  kinds: Record<string, (who: string, title: string) => string>;
}

const en: Words = {
  somebody: 'Somebody',
  more: (n) => `And ${n} more`,
  news: 'There is something new for you.',
  kinds: {
    admitted: () => 'You are in. Welcome to Mi Talk.',
    invite_accepted: (who) => `${who} accepted your invite.`,
    new_follower: (who) => `${who} follows you.`,
    stage_invitation: (who, title) => `${who} asks you on stage in “${title}”.`,
    pinged: (who, title) => `${who} asks you into “${title}”.`,
    room_started: (who, title) => `${who} started “${title}”.`,
  },
};

const zh: Words = {
  somebody: '有人',
  more: (n) => `还有 ${n} 条`,
  news: '你有新的通知。',
  kinds: {
    admitted: () => '你已加入，欢迎来到 Mi Talk。',
    invite_accepted: (who) => `${who} 接受了你的邀请。`,
    new_follower: (who) => `${who} 关注了你。`,
    stage_invitation: (who, title) => `${who} 邀请你在“${title}”上台。`,
    pinged: (who, title) => `${who} 邀请你进入“${title}”。`,
    room_started: (who, title) => `${who} 开启了“${title}”。`,
  },
};

/** What a later server says and this worker does not know is still worth a look. */
export function pushText(push: Push): { title: string; body: string } {
  const words = push.language.startsWith('zh') ? zh : en;
  const say = words.kinds[push.kind];
  return {
    title: say ? say(push.who || words.somebody, push.title ?? '') : words.news,
    body: push.count > 1 ? words.more(push.count - 1) : '',
  };
}

/** Absent: it is no push of ours. */
export function readPush(text: string): Push | undefined {
  try {
    const push = JSON.parse(text) as Push;
    return push?.tag && push.language && /^\/(?!\/)/.test(push.path) ? push : undefined;
  } catch {
    return undefined;
  }
}
