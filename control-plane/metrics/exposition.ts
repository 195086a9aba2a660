/** Prometheus's text format, version 0.0.4: what it takes to write families of counters, gauges and histograms. */

/** Its media type. */
export const EXPOSITION_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

/** One time series. A histogram's has what was counted in each class, not added up, and one count more for what is beyond all bounds. */
interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

interface HistogramSample {
  readonly labels: Labels;
  readonly counts: readonly number[];
  readonly sum: number;
}

/** All that is said under one name. */
export type Family =
  | { readonly type: "counter" | "gauge"; readonly name: string; readonly help: string; readonly samples: readonly Sample[] }
  | {
      readonly type: "histogram";
      readonly name: string;
      readonly help: string;
      /** Upper bounds, rising, in the unit of the name. */
      readonly bounds: readonly number[];
      readonly samples: readonly HistogramSample[];
    };

/** The families as text. One without samples is announced all the same. */
export function exposition(families: readonly Family[]): string {
  return families.map((family) => `${headOf(family)}${linesOf(family).join("")}`).join("");
}

function headOf({ name, help, type }: Family): string {
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
}

function linesOf(family: Family): string[] {
  const { name } = family;
  if (family.type !== "histogram") return family.samples.map(({ labels, value }) => line(name, labels, value));
  return family.samples.flatMap(({ labels, counts, sum }) => {
    let total = 0;
    const buckets = counts.map((count, at) => {
      total += count;
      return line(`${name}_bucket`, { ...labels, le: String(family.bounds[at] ?? "+Inf") }, total);
    });
    return [...buckets, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, total)];
  });
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}\n`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
