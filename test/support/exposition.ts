/** Reads the text format of Prometheus strictly: what is not as it must be is an error. */

export interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

export class Exposition {
  readonly series: readonly Series[];

  constructor(text: string) {
    if (!text.endsWith('\n')) throw new Error('the last line does not end');
    const types = new Map<string, string>();
    const helps = new Set<string>();
    const seen = new Set<string>();
    const series: Series[] = [];
    let family = '';
    for (const line of text.split('\n').filter(Boolean)) {
      const head = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line);
      if (head) {
        const [, what, name, rest] = head as unknown as [string, string, string, string];
        if (what === 'HELP') helps.add(name);
        else if (types.has(name)) throw new Error(`${name} has two types`);
        else types.set(name, rest);
        family = name;
        continue;
      }
      const match = SAMPLE.exec(line);
      if (!match) throw new Error(`no sample: ${line}`);
      const [, name, labels = '', value] = match as unknown as [string, string, string | undefined, string];
      const type = types.get(name);
      if (name !== family || !helps.has(name) || !type) throw new Error(`${name} stands under ${family}`);
      if ((type === 'counter') !== name.endsWith('_total')) throw new Error(`${name} is a ${type}`);
      const sample = { name, labels: parseLabels(labels), value: Number(value) };
      const key = `${name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      if (Number.isNaN(sample.value)) throw new Error(`no number: ${line}`);
      seen.add(key);
      series.push(sample);
    }
    this.series = series;
  }

  /** The value of the one series of that name which has these labels; undefined when there is none. */
  value(name: string, labels: Record<string, string> = {}): number | undefined {
    const found = this.series.filter(
      sample => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
    if (found.length > 1) throw new Error(`${found.length} series of ${name} with ${JSON.stringify(labels)}`);
    return found[0]?.value;
  }
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let at = 0;
  for (let match = LABEL.exec(text); match; match = LABEL.exec(text)) {
    const [, name, value] = match as unknown as [string, string, string];
    labels[name] = value.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
    at = LABEL.lastIndex;
  }
  if (at !== text.length) throw new Error(`no labels: ${text}`);
  return labels;
}
