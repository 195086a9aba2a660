/** Whether memory stays as it is. */

/** Bytes in use at a time. */
export interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** How one thing's memory went, in megabytes. */
export interface Course {
  readonly startMb: number;
  readonly middleMb: number;
  readonly endMb: number;
  /** By how much it rose over the second half, by the line through that half. */
  readonly riseMb: number;
}

const BYTES_PER_MB = 1_000_000;
/** Points that the line goes through: the least that was seen in each of so many stretches of the second half, so that garbage does not count. */
const STRETCHES = 12;
/** Samples that a level is told by. */
const LEVEL_SAMPLES = 3;

/** The course; the first half is the time in which memory may fill with what is kept. */
export function courseOf(samples: readonly Sample[]): Course {
  const half = Math.floor(samples.length / 2);
  const second = samples.slice(half);
  const stretch = Math.max(1, Math.floor(second.length / STRETCHES));
  const points = Array.from({ length: Math.floor(second.length / stretch) }, (_, at) =>
    leastOf(second.slice(at * stretch, (at + 1) * stretch)),
  );
  const durationMs = (second.at(-1)?.atMs ?? 0) - (second[0]?.atMs ?? 0);
  return {
    startMb: levelMb(samples.slice(0, LEVEL_SAMPLES)),
    middleMb: levelMb(samples.slice(half, half + LEVEL_SAMPLES)),
    endMb: levelMb(samples.slice(-LEVEL_SAMPLES)),
    riseMb: (slopeOf(points) * durationMs) / BYTES_PER_MB,
  };
}

function levelMb(samples: readonly Sample[]): number {
  return leastOf(samples).bytes / BYTES_PER_MB;
}

function leastOf(samples: readonly Sample[]): Sample {
  const [first = { atMs: 0, bytes: Number.NaN }] = samples;
  return samples.reduce((least, each) => (each.bytes < least.bytes ? each : least), first);
}

/** Bytes per ms: the median of the slopes between all pairs (Theil and Sen), which single outliers do not move. */
function slopeOf(points: readonly Sample[]): number {
  const slopes = points.flatMap((one, at) =>
    points.slice(at + 1).flatMap((other) => (other.atMs > one.atMs ? [(other.bytes - one.bytes) / (other.atMs - one.atMs)] : [])),
  );
  const sorted = slopes.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
