/** What is wrong, as `ponos doctor` tells it. */
import type { Diagnosis, Finding, RepairReport } from '../../engine/index.ts';
import { type Noun, stateColumn } from '../columns.ts';

export const findingNoun: Noun<Finding> = {
  kind: 'Finding',
  columns: [
    { header: 'CODE', value: finding => finding.code },
    stateColumn(finding => finding.severity.toUpperCase(), 'SEVERITY'),
    { header: 'ABOUT', value: ({ subject }) => `${subject.kind} ${subject.name}` },
    { header: 'WHAT', value: finding => finding.message },
    { header: 'NEXT', value: finding => finding.command },
  ],
};

export interface DoctorReport extends Diagnosis {
  /** What `--repair` did, for each pool; null without it. */
  repairs: Pick<RepairReport, 'pool' | 'repairedCount' | 'repaired' | 'removed'>[] | null;
}

export const diagnosisNoun: Noun<DoctorReport> = {
  kind: 'Diagnosis',
  columns: [
    { header: 'HEALTHY', value: report => report.healthy },
    { header: 'FINDINGS', value: report => report.findings.length, align: 'right' },
  ],
};
