/**
 * What a part of the screen means, and how each theme shows it. Colours are the terminal's own sixteen, so that they fit
 * its background; no meaning rests on colour alone.
 */
export const roles = [
  'plain',
  'muted',
  'strong',
  'heading',
  'brand',
  'accent',
  'key',
  'ok',
  'busy',
  'warn',
  'bad',
  'selected',
  'tab',
  'bar',
  'field',
] as const;
export type Role = (typeof roles)[number];

/** SGR parameters by role. */
export type Theme = Readonly<Record<Role, readonly number[]>>;

const BOLD = 1;
const DIM = 2;
const UNDERLINE = 4;
const INVERSE = 7;

const standard: Theme = {
  plain: [],
  muted: [DIM],
  strong: [BOLD],
  heading: [DIM],
  brand: [BOLD, 36],
  accent: [36],
  key: [BOLD],
  ok: [32],
  busy: [36],
  warn: [33],
  bad: [BOLD, 31],
  selected: [INVERSE],
  tab: [INVERSE, BOLD],
  bar: [36],
  field: [UNDERLINE],
};

export const themes = {
  default: standard,
  mono: {
    ...standard,
    brand: [BOLD],
    accent: [],
    ok: [],
    busy: [],
    warn: [BOLD],
    bad: [BOLD, UNDERLINE],
    bar: [],
  },
  /** For red-green blindness: blue, yellow, bright magenta. */
  deuteranopia: {
    ...standard,
    ok: [94],
    busy: [36],
    warn: [93],
    bad: [BOLD, 95],
    accent: [94],
    bar: [94],
    brand: [BOLD, 94],
  },
  /** For blue-yellow blindness: cyan, bold, red. */
  tritanopia: { ...standard, ok: [36], busy: [96], warn: [BOLD, 35], bad: [BOLD, 91], accent: [36], bar: [36] },
  'high-contrast': {
    ...standard,
    muted: [],
    heading: [BOLD, UNDERLINE],
    brand: [BOLD, 97],
    accent: [BOLD, 96],
    ok: [BOLD, 92],
    busy: [BOLD, 96],
    warn: [BOLD, 93],
    bad: [BOLD, 97, 41],
    bar: [96],
  },
} as const satisfies Record<string, Theme>;

export type ThemeName = keyof typeof themes;
export const themeNames = Object.keys(themes) as ThemeName[];
