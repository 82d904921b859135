/** Metrics one by one, for whoever wants them in another form than Prometheus does. */
import type { Registry } from 'prom-client';
import type { Noun } from '../columns.ts';

export interface MetricSample {
  name: string;
  type: string;
  help: string;
  labels: Record<string, string>;
  value: number;
}

export const metricNoun: Noun<MetricSample> = {
  kind: 'Metric',
  columns: [
    { header: 'NAME', value: sample => sample.name },
    {
      header: 'LABELS',
      value: ({ labels }) =>
        Object.entries(labels)
          .map(([name, value]) => `${name}=${value}`)
          .join(' '),
    },
    { header: 'VALUE', value: sample => sample.value, align: 'right' },
    { header: 'TYPE', value: sample => sample.type, wide: true },
    { header: 'HELP', value: sample => sample.help, wide: true },
  ],
};

export async function samplesOf(registry: Registry): Promise<MetricSample[]> {
  const families = await registry.getMetricsAsJSON();
  return families.flatMap(({ name, type, help, values }) =>
    values.map(({ labels, value }) => ({
      name,
      type: String(type),
      help,
      labels: labels as Record<string, string>,
      value,
    })),
  );
}
