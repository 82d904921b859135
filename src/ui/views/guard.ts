import { fitLine, fitLines } from '../paint/line.ts';
import { cellText } from '../text/cell.ts';
import type { View } from '../view.ts';

/** A view that says in its own place that it failed: one bad record must not take the whole screen away. */
export function guardView(view: View): View {
  return {
    ...view,
    list: (scene, place) => {
      try {
        return view.list(scene, place);
      } catch {
        return { ids: [], total: 0, item: () => undefined };
      }
    },
    draw: (scene, place, area) => {
      try {
        return view.draw(scene, place, area);
      } catch (error) {
        const reason = cellText(error instanceof Error ? error.message : String(error));
        const line = fitLine([[`  this view cannot be drawn: ${reason}`, 'bad']], area.width, scene.glyphs.ellipsis);
        return fitLines([line], area.width, area.height);
      }
    },
  };
}
