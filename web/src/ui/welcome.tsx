/** The frame of the screens before one is inside: what waits there is beside them on a desk, and above them on a phone. */
import type { ComponentChildren } from 'preact';
import { Portrait } from './portrait';

/** Nobody in particular. `level` is how loud they are; most listen. */
const SCENE = [
  { id: 'a', name: 'M O', level: 0.9 },
  { id: 'b', name: 'J L', level: 0 },
  { id: 'f', name: '李', level: 0.5 },
  { id: 'h', name: 'S M', level: 0 },
  { id: 'k', name: 'A W', level: 0 },
  { id: 'm', name: 'N E', level: 0 },
  { id: 'q', name: 'C D', level: 0 },
];
/** As many as stand in one row on the smallest phone. */
const IN_A_ROW = 4;

interface WelcomeProps {
  /** At the lower edge. */
  footer?: ComponentChildren;
  children: ComponentChildren;
}

export function Welcome({ footer, children }: WelcomeProps) {
  return (
    <div class="welcome">
      <div class="scene" aria-hidden="true">
        {SCENE.map((person) => (
          <Figure key={person.id} {...person} />
        ))}
      </div>
      <div class="welcome-main">
        {children}
        {footer}
      </div>
    </div>
  );
}

/** The mark, and some people of whom one speaks: for phones, which have no room for the scene. */
export function Hero() {
  return (
    <div class="hero" aria-hidden="true">
      <img src="/icon.svg" alt="" width="56" height="56" />
      <span class="hero-people">
        {SCENE.slice(0, IN_A_ROW).map((person) => (
          <Figure key={person.id} {...person} />
        ))}
      </span>
    </div>
  );
}

function Figure({ id, name, level }: (typeof SCENE)[number]) {
  return (
    <span class="ring" data-speaking={level > 0 || undefined} style={{ '--level': level }}>
      <Portrait person={{ id, name }} size="large" />
    </span>
  );
}
