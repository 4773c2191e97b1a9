/** The icons of the app, imported one by one from Lucide. Always beside words or inside a labelled control. */
import {
  Armchair,
  ArrowLeft,
  Bell,
  Check,
  ChevronDown,
  ChevronRight,
  DoorOpen,
  Hand,
  Hourglass,
  type IconNode,
  Link,
  Link2Off,
  Lock,
  LogOut,
  Mail,
  Mic,
  MicOff,
  Plus,
  Radio,
  Search,
  Settings,
  Share2,
  Shield,
  Smartphone,
  User,
  Users,
  Volume2,
  WifiOff,
  X,
} from 'lucide';
import { h } from 'preact';

const ICONS = {
  audience: Armchair,
  audio: Volume2,
  back: ArrowLeft,
  bell: Bell,
  busy: Hourglass,
  check: Check,
  close: X,
  device: Smartphone,
  down: ChevronDown,
  hand: Hand,
  invite: Mail,
  leave: DoorOpen,
  link: Link,
  link_off: Link2Off,
  lock: Lock,
  mic: Mic,
  mic_off: MicOff,
  moderator: Shield,
  next: ChevronRight,
  offline: WifiOff,
  people: Users,
  plus: Plus,
  room: Radio,
  search: Search,
  settings: Settings,
  share: Share2,
  sign_out: LogOut,
  you: User,
} satisfies Record<string, IconNode>;

/** Icons grow with the text. */
const ROOT_PX = 16;

export type IconName = keyof typeof ICONS;

export function Icon({ name, size = 24 }: { name: IconName; size?: 16 | 20 | 24 | 32 }) {
  return (
    <svg
      class="icon"
      width={`${size / ROOT_PX}rem`}
      height={`${size / ROOT_PX}rem`}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {ICONS[name].map(([tag, attributes], index) => h(tag, { ...attributes, key: index }))}
    </svg>
  );
}
