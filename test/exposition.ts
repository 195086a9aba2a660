/**
 * Reads Prometheus's text format, version 0.0.4, as strictly as it is written down: whatever a scraper could stumble over, or a lint of metrics
 * would complain of, is an error that names the line.
 */

/** One series and its value. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Head {
  readonly type: string;
  readonly series: Series[];
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*\S.*)$/;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)/y;
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|\+Inf|-Inf|NaN)$/i;

/** All series of a text; throws for anything that is wrong with it. */
export function readExposition(text: string): Series[] {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const heads = new Map<string, Head>();
  const helped = new Set<string>();
  let current: string | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const fault = (why: string) => new Error(`${why}: ${line}`);
    if (line.startsWith("#")) {
      const [, helpFor] = HELP.exec(line) ?? [];
      const [, typed, type] = TYPE.exec(line) ?? [];
      if (helpFor !== undefined) {
        if (helped.has(helpFor)) throw fault("a second HELP");
        helped.add(helpFor);
      } else if (typed !== undefined && type !== undefined) {
        if (heads.has(typed)) throw fault("a second TYPE, so its series are not together");
        if (!helped.has(typed)) throw fault("no HELP before it");
        heads.set(typed, { type, series: [] });
        current = typed;
      } else throw fault("neither HELP nor TYPE");
      continue;
    }
    const head = current === undefined ? undefined : heads.get(current);
    const [, name = "", labels, value = ""] = SAMPLE.exec(line) ?? [];
    if (name === "" || !NUMBER.test(value)) throw fault("no sample");
    if (!head || current === undefined || familyOf(name, head.type) !== current) throw fault("not of the family that was announced");
    head.series.push({ name, labels: readLabels(labels ?? "", fault), value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value) });
  }
  for (const [name, head] of heads) checkFamily(name, head);
  return [...heads.values()].flatMap(({ series }) => series);
}

function familyOf(name: string, type: string): string {
  return type === "histogram" ? name.replace(/_(?:bucket|sum|count)$/, "") : name;
}

function readLabels(text: string, fault: (why: string) => Error): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  let at = 0;
  while (at < text.length) {
    LABEL.lastIndex = at;
    const [whole, name = "", value = "", end] = LABEL.exec(text) ?? [];
    if (whole === undefined) throw fault("labels that cannot be read");
    if (name in labels || name.startsWith("__")) throw fault(`the label ${name}`);
    labels[name] = value.replace(/\\(["\\n])/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    at += whole.length;
    if (end === "" && at < text.length) throw fault("labels that cannot be read");
  }
  return labels;
}

function checkFamily(name: string, { type, series }: Head): void {
  const seen = new Set<string>();
  for (const { name: of, labels, value } of series) {
    const key = JSON.stringify([of, Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1))]);
    if (seen.has(key)) throw new Error(`${key} is there twice`);
    seen.add(key);
    if (!Number.isFinite(value)) throw new Error(`${key} is ${value}`);
    if (type !== "gauge" && value < 0) throw new Error(`${key} is below 0`);
  }
  if (type === "counter" && !name.endsWith("_total")) throw new Error(`${name} is a counter and does not end in _total`);
  if (type !== "counter" && name.endsWith("_total")) throw new Error(`${name} is no counter and ends in _total`);
  if (type === "histogram") checkHistogram(name, series);
}

function checkHistogram(name: string, series: readonly Series[]): void {
  const unbounded = ({ labels }: Series) => JSON.stringify(Object.entries(labels).filter(([label]) => label !== "le"));
  for (const [labels, of] of Map.groupBy(series, unbounded)) {
    const buckets = of.filter((each) => each.name === `${name}_bucket`);
    const bounds = buckets.map((each) => (each.labels["le"] === "+Inf" ? Number.POSITIVE_INFINITY : Number(each.labels["le"])));
    const isRising = (values: readonly number[], strictly: boolean) =>
      values.every((value, at) => at === 0 || (strictly ? value > (values[at - 1] ?? 0) : value >= (values[at - 1] ?? 0)));
    if (!isRising(bounds, true) || bounds.at(-1) !== Number.POSITIVE_INFINITY)
      throw new Error(`${name}${labels}: bounds ${bounds.join(" ")}`);
    if (
      !isRising(
        buckets.map(({ value }) => value),
        false,
      )
    )
      throw new Error(`${name}${labels}: buckets that are not added up`);
    const [count, sum] = ["_count", "_sum"].map((end) => of.filter((each) => each.name === `${name}${end}`));
    if (count?.length !== 1 || sum?.length !== 1 || count[0]?.value !== buckets.at(-1)?.value)
      throw new Error(`${name}${labels}: sum and count`);
  }
}
