/**
 * Where the person is: the address bar is the state. A room opens over a place; `place` is what lies under it, so that
 * closing the room shows what was there.
 */
import { computed, signal } from '@preact/signals';

type Simple = 'hallway' | 'people' | 'you' | 'edit' | 'invites' | 'notices' | 'settings' | 'new';

export type Route =
  | { name: Simple }
  /** `key`: from the fragment of a closed room's link. */
  | { name: 'room'; id: string; key?: string }
  | { name: 'person'; handle: string }
  | { name: 'invite'; code: string }
  | { name: 'missing' };

const SIMPLE: Record<string, Simple> = {
  '/': 'hallway',
  '/people': 'people',
  '/you': 'you',
  '/you/edit': 'edit',
  '/invites': 'invites',
  '/notices': 'notices',
  '/settings': 'settings',
  '/new': 'new',
};

export function parse(path: string, hash = ''): Route {
  const simple = SIMPLE[path];
  if (simple) return { name: simple };
  const [, kind, argument, ...rest] = path.split('/');
  if (!argument || rest.length > 0) return { name: 'missing' };
  const text = decoded(argument);
  if (text === null) return { name: 'missing' };
  if (kind === 'r')
    return { name: 'room', id: text, ...(hash.length > 1 && { key: decoded(hash.slice(1)) ?? undefined }) };
  if (kind === 'u') return { name: 'person', handle: text };
  if (kind === 'i') return { name: 'invite', code: text };
  return { name: 'missing' };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

export const route = signal<Route>(parse(location.pathname, location.hash));
const under = signal<Route>({ name: 'hallway' });
export const place = computed<Route>(() => (route.value.name === 'room' ? under.value : route.value));

export const roomPath = (id: string) => `/r/${encodeURIComponent(id)}`;
/** People without a handle are found by their id. */
export const personPath = (person: { id: string; handle?: string | null }) =>
  `/u/${encodeURIComponent(person.handle ?? `~${person.id}`)}`;

/** Where to go once the browser is where it was sent back to: until then the address is not where one is. */
let waiting: (() => void)[] | undefined;
let backTimer: ReturnType<typeof setTimeout> | undefined;
/** A browser that has not gone back by then is not waited for any longer. */
const BACK_MS = 2_000;

export function go(path: string, how: 'push' | 'replace' = 'push'): void {
  if (waiting) return void waiting.push(() => go(path, how));
  if (path === location.pathname) return;
  const before = place.value;
  if (how === 'push') history.pushState({ inside: true }, '', path);
  else history.replaceState(history.state, '', path);
  arrive();
  if (place.value !== before) toTop();
}

/** A new place begins at its top; where one comes back to, the browser keeps. On a desk the place scrolls by itself. */
function toTop(): void {
  scrollTo(0, 0);
  document.querySelector('.place')?.scrollTo(0, 0);
}

/** The room that lies over a place goes: at once on the screen, and from the history when the browser comes to it. */
export function closeRoom(): void {
  if (route.value.name !== 'room') return;
  if (history.state?.inside) route.value = under.value;
  back('/');
}

/** Back to where the person came from; on a deep link, to `fallback`. */
export function back(fallback: string): void {
  if (waiting) return void waiting.push(() => back(fallback));
  if (!history.state?.inside) {
    go(fallback, 'replace');
    return;
  }
  waiting = [];
  backTimer = setTimeout(arriveBack, BACK_MS);
  history.back();
}

function arriveBack(): void {
  const then = waiting ?? [];
  waiting = undefined;
  clearTimeout(backTimer);
  arrive();
  for (const next of then) next();
}

function arrive(): void {
  const next = parse(location.pathname, location.hash);
  if (next.name !== 'room') under.value = next;
  // A form that has made its room is done with.
  else if (under.value.name === 'new') under.value = { name: 'hallway' };
  route.value = next;
}

/** Not one that opens a link somewhere else. */
export function isPlain(event: MouseEvent): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}

export function startRouting(): void {
  arrive();
  addEventListener('popstate', arriveBack);
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest?.('a');
    if (!link || !isPlain(event) || link.target || link.origin !== location.origin || link.hasAttribute('download'))
      return;
    event.preventDefault();
    go(link.pathname);
  });
}
