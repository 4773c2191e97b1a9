// The cast of the pictures: enough different names, headlines and scripts to see what breaks.
const CAST = [
  ['maya', 'Maya Okonkwo', 'Head of Product, Paystream'],
  ['jonas', 'Jonas Lindqvist', 'Climate tech investor'],
  ['lihua', '李华', '供应链负责人'],
  ['sofia', 'Sofia Marchetti', 'Architect of schools and other hopeful places'],
  ['arif', 'Arif Wibowo', 'Coffee exporter, Bandung'],
  ['claire', 'Claire Dubois', 'Lawyer for start-ups'],
  ['tom', 'Tom', ''],
  ['priya', 'Priya Raghunathan', 'Engineering manager'],
  ['max', 'Maximilian von Hohenstein-Oettingen', 'Restructuring'],
  ['ngozi', 'Ngozi Eze', 'Founder, Solar Loop'],
  ['ken', 'Ken Watanabe', 'Robotics'],
  ['ana', 'Ana Souza', 'Journalist'],
  ['omar', 'Omar Haddad', 'Hospital logistics'],
  ['eva', 'Eva Novák', 'Data protection officer'],
  ['sam', 'Sam Carter', 'Recruiting for deep tech'],
  ['yuki', 'Yuki Tanaka', 'UX research'],
];

export const people = CAST.map(([handle, name, headline]) => ({ id: `eu${handle}0000000000`, name, handle, headline }));
const by = Object.fromEntries(people.map((person) => [person.handle, person]));
export const person = (handle) => by[handle];
export const ME = person('priya');

const HOUR = 3_600_000;
/** Two weeks from the day of the pictures. */
export const LATER = Date.UTC(2027, 0, 15, 12);

export const profile = (who, more = {}) => ({
  ...who,
  company: 'Paystream',
  bio: 'Fifteen years of payments in places where the network is bad and the need is real.\nI mentor first-time product leads on Fridays.',
  topics: ['Payments', 'Africa', 'Product', 'Hiring'],
  languages: ['en', 'fr'],
  links: ['https://paystream.example/maya'],
  offering: 'An honest look at your roadmap',
  looking_for: 'Partners in Nairobi and Lagos',
  invited_by: person('jonas'),
  ...more,
});

export const me = (more = {}) => ({
  id: ME.id,
  standing: 'active',
  profile: profile(ME, {
    company: 'Northwind',
    offering: 'Help with on-call culture',
    looking_for: 'Speakers on reliability',
    bio: '',
    links: [],
  }),
  invites_left: 2,
  shown_as_inviter: true,
  notice_seq: 5,
  notices_read: 2,
  ...more,
});

export const cards = () => [
  card(
    'eur1',
    'What 40 million small payments taught us',
    ['Payments', 'Africa'],
    'en',
    ['maya', 'ngozi', 'jonas', 'claire'],
    1284,
    true,
  ),
  card('eur2', '供应链的下一个十年', ['供应链', '制造'], 'zh', ['lihua', 'ken'], 312, false),
  card(
    'eur3',
    'Founders’ breakfast: hiring your first ten, and letting go',
    ['Hiring'],
    'en',
    ['sofia', 'tom', 'sam'],
    46,
    false,
    'social',
  ),
  card('eur4', 'Kopi pagi', [], 'id', ['arif'], 3, true),
];

function card(id, title, topics, language, stage, audience_count, followed, visibility = 'open') {
  const started_at_ms = Date.now() - HOUR;
  return {
    id,
    title,
    topics,
    language,
    visibility,
    stage: stage.map(person),
    stage_count: stage.length,
    audience_count,
    followed,
    started_at_ms,
  };
}

const STAGE = [
  ['maya', 'moderator', false],
  ['ngozi', 'speaker', false],
  ['jonas', 'speaker', true],
  ['claire', 'speaker', false],
  ['max', 'speaker', true],
];

export function room(more = {}, me_on_stage = null) {
  const stage = STAGE.map(([handle, role, muted], index) => ({
    person: person(handle),
    role,
    number: index + 1,
    muted,
    away: handle === 'max',
  }));
  if (me_on_stage)
    stage.splice(me_on_stage.role === 'moderator' ? 1 : stage.length, 0, {
      person: ME,
      number: 9,
      away: false,
      muted: true,
      ...me_on_stage,
    });
  return {
    id: 'eur1',
    seq: 10,
    title: 'What 40 million small payments taught us',
    topics: ['Payments', 'Africa'],
    language: 'en',
    visibility: 'open',
    hand_raising: 'everyone',
    stage,
    hands: [],
    hand_count: 3,
    invited_to_stage: false,
    my_role: me_on_stage?.role ?? 'listener',
    audience_count: 1284,
    started_at_ms: Date.now() - HOUR,
    ended: false,
    ...more,
  };
}

export const hands = ['arif', 'lihua', 'sam'].map((handle, index) => ({
  person: person(handle),
  raised_at_ms: Date.now() - 60_000 * (3 - index),
}));

export const roster = ['sofia', 'arif', 'lihua', 'priya', 'tom', 'ken', 'ana', 'omar', 'eva', 'sam', 'yuki'].map(
  (handle, index) => ({
    person: person(handle),
    followed: index < 2,
    followed_by_stage: index < 3,
    hand: ['arif', 'lihua', 'sam'].includes(handle),
  }),
);

export const notices = [
  {
    seq: 5,
    at_ms: Date.now() - 4 * 60_000,
    what: { kind: 'room_started', room: 'eur1', title: 'What 40 million small payments taught us', by: person('maya') },
  },
  {
    seq: 4,
    at_ms: Date.now() - 2 * HOUR,
    what: { kind: 'pinged', room: 'eur3', title: 'Founders’ breakfast', by: person('sofia') },
  },
  { seq: 3, at_ms: Date.now() - 5 * HOUR, what: { kind: 'invite_accepted', person: person('arif') } },
  { seq: 2, at_ms: Date.now() - 26 * HOUR, what: { kind: 'new_follower', person: person('ken') } },
  { seq: 1, at_ms: Date.now() - 50 * HOUR, what: { kind: 'admitted' } },
];

export const invites = {
  left: 2,
  invites: [
    {
      id: 'i1',
      status: 'pending',
      link: '/i/k3mv9q2x',
      created_at_ms: Date.now(),
      expires_at_ms: Date.now() + 720 * HOUR,
    },
    {
      id: 'i2',
      status: 'pending',
      phone_hint: '+49 … 678',
      created_at_ms: Date.now(),
      expires_at_ms: Date.now() + 500 * HOUR,
    },
    {
      id: 'i3',
      status: 'accepted',
      phone_hint: '+62 … 120',
      created_at_ms: 0,
      expires_at_ms: 0,
      accepted_by: person('arif'),
    },
    { id: 'i4', status: 'expired', phone_hint: '+33 … 902', created_at_ms: 0, expires_at_ms: 0 },
  ],
};

export const devices = [
  { id: 'd1', name: 'Chrome, Android', created_at_ms: 0, seen_at_ms: Date.now(), current: true },
  { id: 'd2', name: 'Safari, Mac OS', created_at_ms: 0, seen_at_ms: Date.now() - 30 * HOUR, current: false },
];
