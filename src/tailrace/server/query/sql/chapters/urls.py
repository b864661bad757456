"""Functions of URLs."""

from tailrace.server.query.sql.contract import Chapter, Function, Type

CHAPTER = Chapter(
    "URLs",
    "A part that is not there is empty; a parameter that is not there is NULL.",
    (
        Function("url_extract_protocol(url)", "`http`", Type.VARCHAR, "url_extract_protocol(u)", "http"),
        Function("url_extract_host(url)", "the host", Type.VARCHAR, "url_extract_host(u)", "host.example"),
        Function("url_extract_port(url)", "the port, NULL when it is not said", Type.BIGINT, "url_extract_port(u)", "8080"),
        Function("url_extract_path(url)", "the path", Type.VARCHAR, "url_extract_path(u)", "/path/x"),
        Function("url_extract_query(url)", "the query, as it stands", Type.VARCHAR, "url_extract_query(u)", "q=1&r=a%20b"),
        Function("url_extract_fragment(url)", "what stands after `#`", Type.VARCHAR, "url_extract_fragment(u)", "top"),
        Function(
            "url_extract_parameter(url, name)",
            "one parameter of the query, decoded",
            Type.VARCHAR,
            "url_extract_parameter(u, 'r')",
            "a b",
            becomes=("if(has(extractURLParameterNames(_1), _2), decodeURLComponent(extractURLParameter(_1, _2)), NULL)",),
        ),
        Function("url_encode(text)", "as it stands in a URL", Type.VARCHAR, "url_encode('a b/中')", "a+b%2F%E4%B8%AD"),
        Function("url_decode(text)", "the other way round", Type.VARCHAR, "url_decode('a%20b+c')", "a b c"),
    ),
)
