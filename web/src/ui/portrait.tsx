/**
 * People without a photo: their initials on a gradient that their id picks, so that a crowd of fifty is pleasant and
 * the same person has the same colours everywhere.
 */
import type { ReadonlySignal } from '@preact/signals';
import { useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';

/** Olive and mustard are left out: few people look good in them. */
const HUES = 290;
const LEFT_OUT_FROM = 60;
const LEFT_OUT = 70;
/** From one end of the gradient to the other. */
const SPAN = 32;
/** FNV-1a; spread matters here, nothing else. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export function hueOf(id: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), FNV_PRIME);
  const hue = (hash >>> 0) % HUES;
  return hue < LEFT_OUT_FROM ? hue : hue + LEFT_OUT;
}

/** First letters of the first and the last word; one character of scripts that write names without spaces. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters
    .map((word) => (word ? (Array.from(word)[0] ?? '') : ''))
    .join('')
    .toLocaleUpperCase();
}

interface PortraitProps {
  person: { id: string; name: string };
  size: 'small' | 'medium' | 'large' | 'huge';
}

export function Portrait({ person, size }: PortraitProps) {
  const hue = hueOf(person.id);
  const style = { '--hue': String(hue), '--hue-2': String(hue < HUES / 2 ? hue + SPAN : hue - SPAN) };
  return (
    <span class={`portrait ${size}`} style={style} aria-hidden="true">
      {initials(person.name)}
    </span>
  );
}

/** A portrait with a ring as loud as the voice. The level goes straight to the style: nothing is drawn anew. */
export function SpeakingPortrait({
  person,
  level,
}: {
  person: PortraitProps['person'];
  level: ReadonlySignal<number>;
}) {
  const ring = useRef<HTMLSpanElement>(null);
  useSignalEffect(() => {
    ring.current?.style.setProperty('--level', level.value.toFixed(2));
    ring.current?.toggleAttribute('data-speaking', level.value > 0);
  });
  return (
    <span class="ring" ref={ring}>
      <Portrait person={person} size="large" />
    </span>
  );
}
