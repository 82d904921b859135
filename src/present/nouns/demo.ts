import type { Noun } from '../columns.ts';

export interface DemoReport {
  held: boolean;
  tookMs: number;
  steps: DemoStep[];
}

export interface DemoStep {
  title: string;
  checks: DemoCheck[];
}

export interface DemoCheck {
  /** What should hold. */
  what: string;
  /** What was measured, with its unit. */
  seen: string;
  held: boolean;
}

export const demoReportNoun: Noun<DemoReport> = {
  kind: 'DemoReport',
  columns: [
    { header: 'HELD', value: report => report.held },
    { header: 'CHECKS', value: report => report.steps.flatMap(step => step.checks).length },
    { header: 'TOOK', value: report => report.tookMs },
  ],
};
