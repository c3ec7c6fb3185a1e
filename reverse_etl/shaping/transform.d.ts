/** A value of a row: decimals, dates and date-times (ISO 8601, UTC) are text; JSON columns are objects and arrays. */
type RowValue = string | number | boolean | null | { [key: string]: any } | any[];

/** A row as the query returns it, by column. */
type Row = { [column: string]: any };

/** What becomes of it: a BigInt is sent as its digits, a Date as ISO 8601; undefined is NULL. */
type Result = { [column: string]: RowValue | bigint | Date | undefined };

/** Called with each row that `where` keeps; null leaves the row out. */
declare function transform(row: Row): Result | null;
