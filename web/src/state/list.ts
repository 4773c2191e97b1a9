/**
 * A list that comes in pages.
 *
 * Invariants: nothing is in it twice, though the server's list moves between two pages; a reload brings back as much as
 * was shown, and takes nothing away that somebody asked for; an answer that was overtaken is dropped, and a next page
 * that somebody waits for is not overtaken by a reload that nobody asked for.
 */
import { signal } from '@preact/signals';
import type { Page } from '../api/types';

/** Pages that a reload asks for at most; what was shown below them stays as it was. */
const RELOADED_PAGES = 4;

export class PagedList<Item> {
  readonly items = signal<readonly Item[] | null>(null);
  /** The list could not be had at all, or not anew. */
  readonly error = signal<unknown>(null);
  /** The next page could not be had. */
  readonly moreError = signal<unknown>(null);
  readonly loading = signal(false);
  readonly more = signal(false);
  #fetch: (cursor?: string | null) => Promise<Page<Item>>;
  #key: (item: Item) => unknown;
  #cursor: string | null | undefined;
  #run = 0;
  #next: Promise<void> | undefined;

  constructor(fetch: (cursor?: string | null) => Promise<Page<Item>>, key: (item: Item) => unknown) {
    this.#fetch = fetch;
    this.#key = key;
  }

  async reload(): Promise<void> {
    if (this.#next) await this.#next;
    const run = ++this.#run;
    this.loading.value = true;
    try {
      const shown = this.items.value ?? [];
      let items: readonly Item[] = [];
      let cursor: string | null | undefined;
      let pages = 0;
      do {
        const page = await this.#fetch(cursor);
        if (run !== this.#run) return;
        items = this.#joined(items, page.items);
        cursor = page.next_cursor;
      } while (cursor && items.length < shown.length && ++pages < RELOADED_PAGES);
      const below = cursor ? this.#below(shown, items) : [];
      // With something below, the next page still begins after that.
      if (below.length === 0) this.#cursor = cursor;
      this.items.value = this.#joined(items, below);
      this.more.value = Boolean(this.#cursor);
      this.error.value = null;
      this.moreError.value = null;
    } catch (error) {
      if (run === this.#run) this.error.value = error;
    } finally {
      if (run === this.#run) this.loading.value = false;
    }
  }

  next(): Promise<void> {
    this.#next ??= this.#add().finally(() => {
      this.#next = undefined;
    });
    return this.#next;
  }

  /** Whoever looks next starts anew; what is on its way is dropped. */
  clear(): void {
    this.#run++;
    this.#cursor = undefined;
    this.items.value = null;
    this.error.value = null;
    this.moreError.value = null;
    this.loading.value = false;
    this.more.value = false;
  }

  async #add(): Promise<void> {
    const run = ++this.#run;
    this.loading.value = true;
    try {
      const page = await this.#fetch(this.#cursor);
      if (run !== this.#run) return;
      this.items.value = this.#joined(this.items.value ?? [], page.items);
      this.#cursor = page.next_cursor;
      this.more.value = Boolean(page.next_cursor);
      this.moreError.value = null;
    } catch (error) {
      if (run === this.#run) this.moreError.value = error;
    } finally {
      if (run === this.#run) this.loading.value = false;
    }
  }

  /** What was shown after the last of those that came anew. */
  #below(shown: readonly Item[], fresh: readonly Item[]): readonly Item[] {
    const keys = new Set(fresh.map(this.#key));
    const last = shown.findLastIndex((item) => keys.has(this.#key(item)));
    return shown.slice(last < 0 ? fresh.length : last + 1);
  }

  #joined(before: readonly Item[], added: readonly Item[]): readonly Item[] {
    const known = new Set(before.map(this.#key));
    return [...before, ...added.filter((item) => !known.has(this.#key(item)))];
  }
}
