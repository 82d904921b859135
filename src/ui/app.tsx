import { Box, Text, useApp, useInput, usePaste, useStdout } from 'ink';
import { memo, useEffect, useSyncExternalStore } from 'react';
import type { DashboardStore } from './dashboard-store.ts';
import { keysOf } from './keys.ts';
import { copySequence, suspendProcess } from './terminal.ts';

/** The only place where Ink is told what to draw and where keys come in. */
export function App({ store }: { store: DashboardStore }) {
  const frame = useSyncExternalStore(store.subscribe, store.getFrame);
  const { exit, suspendTerminal } = useApp();
  const { stdout } = useStdout();
  useInput((input, key) => store.press(keysOf(input, key)));
  usePaste(text => store.paste(text));
  useEffect(() => {
    const keep = (handedOver: Promise<void>) => {
      handedOver.catch(exit);
    };
    store.attach({
      quit: () => exit(),
      copy: text => {
        const sequence = copySequence(text);
        if (sequence) stdout.write(sequence);
      },
      suspend: () => keep(suspendTerminal(suspendProcess)),
      // Handing the terminal over and back is what makes Ink forget what it believes to be on it.
      redraw: () => keep(suspendTerminal(() => {})),
    });
  }, [store, exit, stdout, suspendTerminal]);
  const { columns, rows } = store.screen;
  return (
    <Box flexDirection="column" width={columns} height={rows} overflowY="hidden">
      {frame.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row of the screen is its number
        <Row key={index} line={line} />
      ))}
    </Box>
  );
}

/** One text per row, as wide as the screen already: nothing for Ink to lay out, and unchanged rows are not drawn. */
const Row = memo(function Row({ line }: { line: string }) {
  return <Text wrap="truncate">{line}</Text>;
});
