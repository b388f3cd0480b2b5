// The way back into a plain column: PostgreSQL's casts round to the precision of a type, cut off the time of a date, and drop a
// zone that a type does not keep, without a word. What was taken from the column comes back by its very text; what the
// application has encrypted since then may be written otherwise, and must be the same value.

/** Error that says "the column would not hold it exactly" and quotes nothing: a substring of negative length. */
export const INEXACT = "22011";

/**
 * SQL: `value`, the text of a column and no constant, as this type, or {@link INEXACT}.
 * @param base what a domain is made of
 */
export function exactCast(
  value: string,
  { type, base }: { readonly type: string; readonly base: string },
): string {
  const cast = `(${value})::${type}`;
  const isSame = SAME.find(([pattern]) => pattern.test(base))?.[1];
  if (isSame === undefined) return cast;
  return (
    `CASE WHEN (${cast})::text = ${value} THEN ${cast} WHEN ${isSame(value, cast)} THEN ${cast} ` +
    `ELSE (substr(${value}, 1, -1))::${type} END`
  );
}

/** Assigned and not cast, so that what is too long is refused: all but spaces at its end, which PostgreSQL takes away. */
export function exactText(value: string, type: string): string {
  const limit = /^character varying\((?<limit>\d+)\)$/.exec(type)?.groups?.limit;
  if (limit === undefined) return value;
  const losesSpaces = `length(${value}) > ${limit} AND length(rtrim(${value}, ' ')) <= ${limit}`;
  return `CASE WHEN ${losesSpaces} THEN substr(${value}, 1, -1) ELSE ${value} END`;
}

type Same = (value: string, cast: string) => string;

/** Of more digits than microseconds PostgreSQL rounds whatever the type. */
const keepsFraction = (value: string): string => `${value} !~ '\\.\\d{6}\\d*[1-9]'`;
const never: Same = () => "false";

/** By what `format_type` says, how a value that is written otherwise is found to be the same. The session's zone is UTC. */
const SAME: readonly (readonly [RegExp, Same])[] = [
  [
    /^(?:numeric|real|double precision)/,
    (value, cast) => `(${value})::numeric = (${cast})::text::numeric`,
  ],
  [/^money/, (value, cast) => `(${value})::numeric = (${cast})::numeric`],
  [
    /^(?:timestamp|date)/,
    (value, cast) => `(${value})::timestamptz = (${cast})::timestamptz AND ${keepsFraction(value)}`,
  ],
  [/^time/, (value, cast) => `(${value})::timetz = (${cast})::timetz AND ${keepsFraction(value)}`],
  [
    /^interval/,
    (value, cast) => `(${value})::interval::text = (${cast})::text AND ${keepsFraction(value)}`,
  ],
  [/^(?:bit|name|"char")/, never],
];
