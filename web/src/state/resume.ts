/**
 * What a reloaded page needs to come back to its place: the room and the newest resume token, in this tab only.
 *
 * The server keeps a place for 30 s. A page that was away for longer is not brought back by itself: somebody who opens
 * an old tab should not find themselves in a room.
 */
const KEY = 'mitalk.resume';
const SILENT = 'mitalk.silent';
const FRESH_MS = 30_000;

interface Resume {
  room: string;
  token: string;
  /** When the page was last known to be there. */
  at_ms: number;
}

export function remember(room: string, token: string): void {
  write({ room, token, at_ms: Date.now() });
}

export function forget(): void {
  sessionStorage.removeItem(KEY);
  sessionStorage.removeItem(SILENT);
}

/** The person muted themselves, and the service may not have heard of it before the page goes. */
export function staySilent(room: string | null): void {
  if (room) sessionStorage.setItem(SILENT, room);
  else sessionStorage.removeItem(SILENT);
}

export function wasSilent(room: string): boolean {
  return sessionStorage.getItem(SILENT) === room;
}

/** The room to come back to, if it is not too late. */
export function rejoinable(): string | null {
  const kept = read();
  return kept && Date.now() - kept.at_ms < FRESH_MS ? kept.room : null;
}

export function tokenFor(room: string): string | undefined {
  const kept = read();
  return kept?.room === room ? kept.token : undefined;
}

addEventListener('pagehide', () => {
  const kept = read();
  if (kept) write({ ...kept, at_ms: Date.now() });
});

function read(): Resume | null {
  const text = sessionStorage.getItem(KEY);
  return text ? (JSON.parse(text) as Resume) : null;
}

function write(resume: Resume): void {
  sessionStorage.setItem(KEY, JSON.stringify(resume));
}
