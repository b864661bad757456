# ruff: noqa: E501, ISC004 - one query, one entry
"""The queries: (dataset, search, the same as a condition in SQL, SQL in our dialect, the same in DuckDB's where that is another)."""

from itertools import product

Query = tuple[str, str, str, str, str]
EVERYTHING = "true"

# What a panel is about: dataset, a field to group by, a number to measure.
_PANELS = [
    ("nginx", "uri", "request_time"), ("nginx", "host", "bytes"), ("nginx", "remote_addr", "bytes"), ("nginx", "method", "request_time"),
    ("nginx", "user_agent", "bytes"), ("nginx", "status", "request_time"), ("java", "level", "cost"), ("java", "class", "cost"),
    ("java", "user", "cost"), ("kubernetes", "verb", "latency"), ("kubernetes", "resource", "latency"),
    ("kubernetes", "username", "latency"),
]  # fmt: skip
_SHAPES = [
    "select {key}, count(*) as hits from log group by {key} order by hits desc, {key} limit 10",
    "select {key}, sum({number}) as total, min({number}) as low, max({number}) as high from log group by {key} order by {key}",
    "select {key}, avg({number}) as mean from log group by {key} having count(*) > 5 order by mean desc, {key} limit 5",
    "select {key}, count(*) * 100.0 / sum(count(*)) over () as share from log group by {key} order by {key}",
    "select * from (select {key}, count(*) as n, row_number() over (order by count(*) desc, {key}) as place from log group by {key}) t"
    " where place <= 3 order by place",
    "with t as (select {key}, max({number}) as worst from log group by {key}) select {key}, worst from t where worst is not null"
    " order by worst desc, {key} limit 4",
    "select case when {number} < 100 then 'low' when {number} < 1000 then 'middle' else 'high' end as class, count(distinct {key}) as keys"
    " from log where {number} is not null group by 1 order by 1",
    "select __time__ - __time__ % 600 as slot, {key}, count(*) as n from log group by __time__ - __time__ % 600, {key} order by slot, {key}"
    " limit 50",
    "select max_by({key}, {number}) as worst, min_by({number}, __time__ * 1000000 + {number}) as first from log where {number} is not null",
]
_SEARCHES = [
    ("nginx", "status >= 500", "status >= 500"),
    ("nginx", "status: 404 or status: 301", "status in (404, 301)"),
    ("nginx", "status in [300 500)", "status >= 300 and status < 500"),
    ("nginx", "method: GET and not uri: health", "method = 'GET' and uri <> '/health'"),
    ("nginx", 'uri: "/api/v1/items"', "uri like '/api/v1/items%'"),
    ("nginx", "uri: app*", "uri = '/static/app.js'"),
    ("nginx", "user_agent: curl and bytes > 2000", "user_agent like 'curl%' and bytes > 2000"),
    ("nginx", "request_time > 2.5 and host: api*", "request_time > 2.5 and host like 'api%'"),
    ("java", "level: error", "level = 'ERROR'"),
    ("java", "timeout", "message like '%timeout%'"),
    ("java", '#"reset by peer"', "message like '%reset by peer%'"),
    ("java", "not cost: *", "cost is null"),
    ("java", "cost: *  and (level: WARN or level: ERROR)", "cost is not null and level in ('WARN', 'ERROR')"),
    ("java", "user: u1* not level: DEBUG", "\"user\" like 'u1%' and level <> 'DEBUG'"),
    ("kubernetes", "verb: delete and resource: secrets", "verb = 'delete' and resource = 'secrets'"),
    ("kubernetes", 'username: "system:node:n1"', "username = 'system:node:n1'"),
    ("kubernetes", "code = 403 or code = 409", "code in (403, 409)"),
    ("kubernetes", "namespace: kube-system not verb: watch", "namespace = 'kube-system' and verb <> 'watch'"),
]
_ON_SEARCHES = [
    "select count(*) as hits from log",
    "select __time__ - __time__ % 1800 as slot, count(*) as hits from log group by __time__ - __time__ % 1800 order by slot",
]
_SINGLE: list[Query] = [
    ("nginx", "", EVERYTHING, "select approx_distinct(remote_addr) as visitors from log", "select count(distinct remote_addr) from log"),
    ("nginx", "", EVERYTHING, "select count_if(status >= 500) * 1.0 / count(*) as failed from log",
     "select count(*) filter (status >= 500) * 1.0 / count(*) from log"),
    ("nginx", "", EVERYTHING, "select date_format(from_unixtime(__time__ - __time__ % 3600), '%Y-%m-%d %H:%i') as hour, count(*) as pv from log"
     " group by hour order by hour",
     "select strftime(to_timestamp(__time__ - __time__ % 3600) at time zone 'UTC', '%Y-%m-%d %H:%M') as hour, count(*) from log"
     " group by hour order by hour"),
    ("nginx", "", EVERYTHING, "select split_part(uri, '/', 2) as part, count(*) as n from log group by part order by n desc, part", ""),
    ("nginx", "", EVERYTHING, "select regexp_extract(user_agent, '^([a-zA-Z-]+)', 1) as agent, count(*) as n from log group by agent order by agent", ""),
    ("nginx", "", EVERYTHING, "select url_extract_path(concat('http://', host, uri)) as path, count(*) as n from log group by path order by path",
     "select uri as path, count(*) as n from log group by path order by path"),
    ("nginx", "", EVERYTHING, "select method, histogram(status)[200] as fine from log group by method order by method",
     "select method, count(*) filter (status = 200) from log group by method order by method"),
    ("nginx", "", EVERYTHING, "select array_join(array_sort(array_agg(distinct method)), ',') as methods from log",
     "select string_agg(distinct method, ',' order by method) from log"),
    ("nginx", "", EVERYTHING, "select lag(n, 1) over (order by slot) as before, n from (select __time__ - __time__ % 1800 as slot, count(*) as n"
     " from log group by 1) t order by slot", ""),
    ("nginx", "", EVERYTHING, "select stddev(request_time) as deviation, variance(bytes) as spread from log", ""),
    ("nginx", "", EVERYTHING, "select geometric_mean(bytes) as mean from log", "select exp(avg(ln(bytes))) from log"),
    ("nginx", "", EVERYTHING, "select bool_and(status < 600) as fine, bool_or(status = 502) as bad from log", ""),
    ("java", "", EVERYTHING, "select coalesce(cost, -1) as cost, count(*) as n from log group by 1 order by n desc, 1 limit 3", ""),
    ("java", "", EVERYTHING, "select upper(level) as level, length(message) as size, count(*) as n from log group by 1, 2 order by 1, 2", ""),
    ("java", "", EVERYTHING, "select replace(class, 'com.shop.', '') as short, count(cost) as n from log group by 1 order by 1", ""),
    ("java", "", EVERYTHING, "select nullif(level, 'INFO') as other, count(*) as n from log group by 1 order by n desc, 1", ""),
    ("java", "", EVERYTHING, "select strpos(message, 'timeout') as place, substr(message, 1, 5) as head, count(*) as n from log group by 1, 2"
     " order by 1, 2", ""),
    ("java", "", EVERYTHING, "select level, sum(cost) as total from log group by level union all select 'all', sum(cost) from log"
     " order by 1", ""),
    ("kubernetes", "", EVERYTHING, "select namespace, verb, count(*) as n from log group by namespace, verb order by namespace, verb", ""),
    ("kubernetes", "", EVERYTHING, "select distinct resource from log order by resource", ""),
    ("kubernetes", "", EVERYTHING, "select username like 'system:%' as machine, round(avg(latency), 3) as mean from log group by 1 order by 1", ""),
    ("kubernetes", "", EVERYTHING, "select a.verb, a.n from (select verb, count(*) as n from log group by verb) a join (select max(n) as most"
     " from (select count(*) as n from log group by verb) x) b on a.n = b.most order by a.verb", ""),
    ("kubernetes", "", EVERYTHING, "select cast(code as varchar) as code, count(*) as n from log where code between 400 and 499 group by 1 order by 1", ""),
    ("kubernetes", "", EVERYTHING, "select rank() over (order by n desc) as place, resource from (select resource, count(*) as n from log"
     " group by resource) t order by place, resource", ""),
]  # fmt: skip
_BINLOG: list[Query] = [
    ("binlog", *rest) for rest in [
        ("", EVERYTHING, "select _event_, count(*) as n from log group by _event_ order by n desc, _event_", ""),
        ("", EVERYTHING, "select concat(_db_, '.', _table_) as tables, count(*) as n from log where _table_ is not null group by 1 order by n desc, 1 limit 10", ""),
        ("_event_: row_delete", "_event_ = 'row_delete'", "select _table_, count(*) as deleted, count(distinct id) as ids from log group by _table_ order by _table_", ""),
        ("_event_: ddl", "_event_ = 'ddl'", "select Query, count(*) as n, min(__time__) as first from log group by Query order by n desc, Query", ""),
        ("_event_: ddl and Query: alter", "_event_ = 'ddl' and Query like 'ALTER%'", "select count(*) as n from log", ""),
        ("_event_: row_update and state: paid not _old_state: paid", "_event_ = 'row_update' and state = 'paid' and _old_state <> 'paid'",
         "select _db_, count(*) as paid, sum(amount) as turnover from log group by _db_ order by _db_", ""),
        ("_event_: row_update", "_event_ = 'row_update'", "select _old_state, state, count(*) as n from log where _old_state <> state group by 1, 2 order by n desc, 1, 2", ""),
        ("_event_: row_update", "_event_ = 'row_update'", "select id, amount - _old_amount as rise from log order by rise desc, id limit 5", ""),
        ("_event_: row_update", "_event_ = 'row_update'", "select avg(abs(amount - _old_amount)) as mean, max(amount - _old_amount) as most from log", ""),
        ("amount > 900 and _db_: billing", "amount > 900 and _db_ = 'billing'", "select id, amount, __time__ from log order by __time__, id, amount limit 20", ""),
        ("", EVERYTHING, "select max(__time__ - _event_time_) as lag, avg(__time__ - _event_time_) as mean from log", ""),
        ("", EVERYTHING, "select _host_, count(*) as n, max(__time__ - _event_time_) as lag from log group by _host_ order by _host_", ""),
        ("", EVERYTHING, "select __time__ - __time__ % 900 as slot, count_if(_event_ = 'row_insert') as inserted, count_if(_event_ = 'row_delete') as deleted"
         " from log group by 1 order by 1",
         "select __time__ - __time__ % 900 as slot, count(*) filter (_event_ = 'row_insert'), count(*) filter (_event_ = 'row_delete')"
         " from log group by 1 order by 1"),
        ("", EVERYTHING, "select slot, n, sum(n) over (order by slot) as so_far from (select __time__ - __time__ % 900 as slot, count(*) as n from log group by 1) t order by slot", ""),
        ("_table_: orders", "_table_ = 'orders'", "select id, max_by(state, __time__ * 1000000 + amount) as state from log group by id order by id limit 30", ""),
        ("_table_: orders", "_table_ = 'orders'", "select state, count(*) as n from (select id, max_by(state, __time__ * 1000000 + amount) as state from log group by id) t"
         " group by state order by state", ""),
        ("", EVERYTHING, "select coalesce(_table_, '(ddl)') as tables, sum(case _event_ when 'row_insert' then 1 when 'row_delete' then -1 else 0 end) as growth"
         " from log group by 1 order by 1", ""),
        ("_event_: row*", "_event_ like 'row%'", "select substr(_event_, 5) as kind, approx_distinct(id) as ids from log group by 1 order by 1",
         "select substr(_event_, 5) as kind, count(distinct id) as ids from log group by 1 order by 1"),
        ("not _table_: *", "_table_ is null", "select count(*) as n, count(id) as ids from log", ""),
        ("id in [10 20]", "id between 10 and 20", "select id, count(*) as n from log group by id having count(*) > 2 order by id", ""),
        ("id in (10 20)", "id > 10 and id < 20", "select count(*) as n from log", ""),
        ("", EVERYTHING, "select a._db_, a.n as inserted, b.n as deleted from (select _db_, count(*) as n from log where _event_ = 'row_insert' group by _db_) a"
         " left join (select _db_, count(*) as n from log where _event_ = 'row_delete' group by _db_) b on a._db_ = b._db_ order by 1", ""),
    ]
]  # fmt: skip

QUERIES: list[Query] = [
    *(
        (dataset, "", EVERYTHING, shape.format(key=f'"{key}"', number=number), "")
        for (dataset, key, number), shape in product(_PANELS, _SHAPES)
    ),
    *((dataset, search, condition, sql, "") for (dataset, search, condition), sql in product(_SEARCHES, _ON_SEARCHES)),
    *_SINGLE,
    *_BINLOG,
]
