/** Columns a text takes on a terminal. Expects text that went through `safeText`: no control and no invisible characters. */

const PLAIN = /^[\x20-\x7e]*$/;
/** East Asian Wide and Fullwidth (Unicode TR 11), by script and block, and what is drawn as a picture by default. */
const WIDE =
  /^[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Yi}\p{Script=Tangut}\p{Emoji_Presentation}\u3000-\u303e\u3200-\u32ff\u3300-\u33ff\uff01-\uff60\uffe0-\uffe6\ufe30-\ufe6f]/u;
const HALFWIDTH = /^[\uff61-\uffdc]/;
const PICTURE_SELECTED = /\ufe0f/;
const MARK_ALONE = /^\p{M}+$/u;

let segmenter: Intl.Segmenter | undefined;

export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) width += graphemeWidth(segment);
  return width;
}

/** `text` cut to `width` columns, the last one being the ellipsis when anything was cut. */
export function cutText(text: string, width: number, ellipsis = '…'): string {
  if (displayWidth(text) <= width) return text;
  const room = width - displayWidth(ellipsis);
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes(text)) {
    used += graphemeWidth(segment);
    if (used > room) break;
    kept += segment;
  }
  return room < 0 ? '' : kept + ellipsis;
}

export function padText(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const padding = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'right' ? padding + text : text + padding;
}

function graphemes(text: string): Iterable<{ segment: string }> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter.segment(text);
}

function graphemeWidth(grapheme: string): number {
  if (HALFWIDTH.test(grapheme)) return 1;
  if (WIDE.test(grapheme) || PICTURE_SELECTED.test(grapheme)) return 2;
  return MARK_ALONE.test(grapheme) ? 0 : 1;
}
