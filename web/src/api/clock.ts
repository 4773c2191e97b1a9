/**
 * What time it is for the server, as its last answer said: a phone's own clock may be days off, and what happened "a
 * minute ago" was written down by the server's. To the second; good for words, not for measuring.
 */
let ahead_ms = 0;

export function heard(response: Response): void {
  const told = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(told)) ahead_ms = told - Date.now();
}

export function now_ms(): number {
  return Date.now() + ahead_ms;
}
