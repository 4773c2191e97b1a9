/** A list that comes in pages: the first replaces, the next are added, and a page that came too late is dropped. */
import { signal } from '@preact/signals';
import type { Page } from '../api/types';

export class PagedList<Item> {
  readonly items = signal<readonly Item[] | null>(null);
  readonly error = signal<unknown>(null);
  readonly loading = signal(false);
  readonly more = signal(false);
  #fetch: (cursor?: string | null) => Promise<Page<Item>>;
  #cursor: string | null | undefined;
  #run = 0;

  constructor(fetch: (cursor?: string | null) => Promise<Page<Item>>) {
    this.#fetch = fetch;
  }

  reload(): Promise<void> {
    return this.#load(undefined, []);
  }

  next(): Promise<void> {
    return this.#load(this.#cursor, this.items.value ?? []);
  }

  /** Whoever looks next starts anew; what is on its way is dropped. */
  clear(): void {
    this.#run++;
    this.#cursor = undefined;
    this.items.value = null;
    this.error.value = null;
    this.loading.value = false;
    this.more.value = false;
  }

  async #load(cursor: string | null | undefined, before: readonly Item[]): Promise<void> {
    const run = ++this.#run;
    this.loading.value = true;
    try {
      const page = await this.#fetch(cursor);
      if (run !== this.#run) return;
      this.items.value = [...before, ...page.items];
      this.#cursor = page.next_cursor;
      this.more.value = Boolean(page.next_cursor);
      this.error.value = null;
    } catch (error) {
      if (run === this.#run) this.error.value = error;
    } finally {
      if (run === this.#run) this.loading.value = false;
    }
  }
}
