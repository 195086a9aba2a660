/** As much of autocannon 9 as the benchmark uses; it comes without types. */
declare module "autocannon" {
  /** What a run is told. */
  export interface Options {
    readonly url: string;
    readonly connections: number;
    /** Seconds; fractions are allowed. */
    readonly duration: number;
    /** Milliseconds between two looks at whether the time is up. */
    readonly sampleInt: number;
    /** Seconds a request may take. */
    readonly timeout: number;
    readonly headers: Readonly<Record<string, string>>;
  }

  /** What a run found. */
  export interface Result {
    readonly errors: number;
    readonly timeouts: number;
    readonly resets: number;
    readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>;
  }

  /** A run under way. */
  export interface Instance {
    on(event: "response", listener: (client: unknown, status: number, bytes: number, ms: number) => void): this;
  }

  /** Starts a run. */
  export default function autocannon(options: Options, done: (error: Error | null, result: Result) => void): Instance;
}
