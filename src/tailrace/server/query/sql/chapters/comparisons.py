"""Functions that compare a time range with earlier ones, and that fill gaps in time."""

from tailrace.server.query.sql import special
from tailrace.server.query.sql.contract import Chapter, Function, Type

CHAPTER = Chapter(
    "Comparison over time",
    "`compare` and `ts_compare` look into a sub-query, which is asked again for the time range so many seconds earlier. `time_series` cuts"
    " time into equal windows (`30s`, `5m`, `1h`, `1d`) in the outermost SELECT; windows without events get rows of their own, in which the"
    " other columns are `0`, `null`, the `last` or `next` value, or their mean (`avg`): group by it alone and order by it.",
    (
        Function(
            "compare(x, seconds, …)",
            "an array: x now, x so many seconds ago (for each number), and now divided by each",
            Type.ARRAY,
            "select compare(x, 60) from (select count(*) as x from log)",
            "[3.0,3.0,1.0]",
            rewrite=special.compare,
        ),
        Function(
            "ts_compare(x, seconds, …)",
            "the same with the earlier times, as seconds since 1970, at the end; grouped by a time",
            Type.ARRAY,
            "select ts_compare(x, 60) from (select 0 as t, count(*) as x from log) group by t",
            "[3.0,3.0,1.0,-60.0]",
            rewrite=special.ts_compare,
        ),
        Function(
            "time_series(time, window, pattern, padding)",
            "the window's beginning as text, as of date_format",
            Type.VARCHAR,
            "time_series(__time__, '5m', '%H:%i', '0')",
            "22:10",
            rewrite=special.time_series,
            times=(0,),
        ),
    ),
)
