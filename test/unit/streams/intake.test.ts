import { describe, expect, it } from 'vitest';
import { Intake } from '../../../src/engine/streams/intake.ts';

const limits = { concurrency: 1, maxInFlight: 1000, maxBatchBytes: 1_000_000 };

describe('the intake of a sink', () => {
  it('begins with what can run', () => {
    expect(new Intake(limits).count(0)).toBe(1);
    expect(new Intake({ ...limits, concurrency: 8 }).count(0)).toBe(8);
  });

  it('holds one event for a handler that takes a second', () => {
    const intake = new Intake(limits);
    for (let i = 0; i < 5; i++) intake.noteWork(1, 1000);
    expect(intake.limit()).toBeLessThanOrEqual(2);
    expect(intake.count(intake.limit())).toBe(0);
  });

  it('reads large batches for a fast handler, again when half is through', () => {
    const intake = new Intake(limits);
    intake.noteWork(1000, 5);
    expect(intake.limit()).toBe(1000);
    expect(intake.count(1000)).toBe(0);
    expect(intake.count(700)).toBe(0);
    expect(intake.count(400)).toBe(500);
  });

  it('becomes careful again when the handler becomes slow', () => {
    const intake = new Intake(limits);
    intake.noteWork(1000, 5);
    for (let i = 0; i < 20; i++) intake.noteWork(1, 500);
    expect(intake.limit()).toBeLessThan(5);
  });

  it('asks for more than can run when most is filtered, within bounds', () => {
    const intake = new Intake(limits);
    for (let i = 0; i < 40; i++) intake.noteBatch(100, 0, 10_000);
    expect(intake.count(0)).toBe(100);
  });

  it('never asks for more bytes than aimed at, but for one event', () => {
    const intake = new Intake(limits);
    intake.noteWork(1000, 5);
    intake.noteBatch(10, 10, 2_500_000);
    expect(intake.count(0)).toBe(4);
    intake.noteBatch(1, 1, 50_000_000);
    expect(intake.count(0)).toBe(1);
  });

  it('reads on beside lanes that stand still, until they take all the room', () => {
    const intake = new Intake({ ...limits, concurrency: 4, maxInFlight: 100 });
    expect(intake.count(0, 50)).toBe(4);
    expect(intake.count(1, 98)).toBe(1);
    expect(intake.count(0, 100)).toBe(0);
  });
});
