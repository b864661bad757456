r"""Grok names for what programs write: HAProxy, Squid, Exim, BIND, databases, Ruby and Rails, Nagios, Bacula, Bro.

Names and fields are those that configs elsewhere use; the patterns are our own, in the dialect of docs/reference/patterns.md.
"""

from collections.abc import Iterable, Mapping
from typing import Final


def _tabs(*fields: str) -> str:
    """Fields between tabs, `name` or `name:NAME of its pattern`; a field of a kind of its own may hold anything but a tab."""
    pairs = [field.partition(":")[::2] for field in fields]
    return r"\t".join(f"%{{{kind or 'BRO_FIELD'}:{name}}}" for name, kind in pairs)


def _any_of(names: Iterable[str]) -> str:
    return "(?:" + "|".join(f"%{{{name}}}" for name in names) + ")"


_HAPROXY: Final = {
    "HAPROXYTIME": r"%{HOUR:haproxy_hour}:%{MINUTE:haproxy_minute}:%{SECOND:haproxy_second}",
    "HAPROXYDATE": (
        r"%{MONTHDAY:haproxy_monthday}/%{MONTH:haproxy_month}/%{YEAR:haproxy_year}:"
        r"(?<haproxy_time>%{HOUR:haproxy_hour}:%{MINUTE:haproxy_minute}:(?<haproxy_second>\d\d))\.%{INT:haproxy_milliseconds}"
    ),
    "HAPROXYCAPTUREDREQUESTHEADERS": (
        r"%{DATA:request_header_host}\|%{DATA:request_header_x_forwarded_for}\|%{DATA:request_header_accept_language}"
        r"\|%{DATA:request_header_referer}\|%{DATA:request_header_user_agent}"
    ),
    "HAPROXYCAPTUREDRESPONSEHEADERS": (
        r"%{DATA:response_header_content_type}\|%{DATA:response_header_content_encoding}\|%{DATA:response_header_cache_control}"
        r"\|%{DATA:response_header_last_modified}"
    ),
    "HAPROXYCLIENT": (
        r"%{IP:client_ip}:%{INT:client_port} \[%{HAPROXYDATE:accept_date}\]"
        r" %{NOTSPACE:frontend_name} (?<backend_name>[^\s/]+)/%{NOTSPACE:server_name}"
    ),
    "HAPROXYLOAD": (
        r"%{NOTSPACE:termination_state} %{INT:actconn}/%{INT:feconn}/%{INT:beconn}/%{INT:srvconn}/%{NOTSPACE:retries}"
        r" %{INT:srv_queue}/%{INT:backend_queue}"
    ),
    "HAPROXYHTTPBASE": (
        r"%{HAPROXYCLIENT} %{INT:time_request}/%{INT:time_queue}/%{INT:time_backend_connect}/%{INT:time_backend_response}/"
        r"%{NOTSPACE:time_duration}"
        r" %{INT:http_status_code} %{NOTSPACE:bytes_read} %{NOTSPACE:captured_request_cookie} %{NOTSPACE:captured_response_cookie}"
        r" %{HAPROXYLOAD} (?:\{%{HAPROXYCAPTUREDREQUESTHEADERS}\} )?(?:\{%{HAPROXYCAPTUREDRESPONSEHEADERS}\} )?"
        r'"(?:<BADREQ>|%{WORD:http_verb} (?:%{URIPROTO:http_proto}://)?(?:%{USER:http_user}(?::[^@\s]*)?@)?(?:%{URIHOST:http_host})?'
        r'(?:%{URIPATHPARAM:http_request})?(?: HTTP/%{NUMBER:http_version})?)?"'
    ),
    "HAPROXYHEAD": (r"(?:%{SYSLOGTIMESTAMP:syslog_timestamp}|%{TIMESTAMP_ISO8601:timestamp8601}) %{IPORHOST:syslog_server} %{SYSLOGPROG}:"),
    "HAPROXYHTTP": r"%{HAPROXYHEAD} %{HAPROXYHTTPBASE}",
    "HAPROXYTCP": (
        r"%{HAPROXYHEAD} %{HAPROXYCLIENT} %{INT:time_queue}/%{INT:time_backend_connect}/%{NOTSPACE:time_duration} %{NOTSPACE:bytes_read}"
        r" %{HAPROXYLOAD}"
    ),
}

_SERVERS: Final = {
    "HTTPD20_ERRORLOG": (
        r"\[%{HTTPDERROR_DATE:timestamp}\] \[%{LOGLEVEL:loglevel}\] (?:\[client %{IPORHOST:clientip}\] )?%{GREEDYDATA:message}"
    ),
    "HTTPD_ERRORLOG": r"(?:%{HTTPD20_ERRORLOG}|%{HTTPD24_ERRORLOG})",
    "SQUID3": (
        r"%{NUMBER:timestamp}\s+%{NUMBER:duration} %{IP:client_address} %{WORD:cache_result}/%{NONNEGINT:status_code} %{NUMBER:bytes}"
        r" %{WORD:request_method} %{NOTSPACE:url} (?:-|%{NOTSPACE:user}) %{WORD:hierarchy_code}/(?:-|%{IPORHOST:server})"
        r" %{NOTSPACE:content_type}"
    ),
    "BIND9_TIMESTAMP": r"%{MONTHDAY}-%{MONTH}-%{YEAR} %{TIME}",
    "BIND9": (
        r"%{BIND9_TIMESTAMP:timestamp} queries: %{LOGLEVEL:loglevel}: client(?: @0x[0-9A-Fa-f]+)? %{IP:clientip}#%{POSINT:clientport}"
        r" \([^)\s]*\): query: %{NOTSPACE:query} IN %{DATA:querytype} \(%{IP:dns}\)"
    ),
    "POSTGRESQL": r"%{DATESTAMP:timestamp} %{TZ} %{DATA:user_id} %{GREEDYDATA:connection_id} %{POSINT:pid}",
    "REDISMONLOG": r'%{NUMBER:timestamp} \[%{INT:database} %{IP:client}:%{NUMBER:port}\] "%{WORD:command}"\s?%{GREEDYDATA:params}',
    "MONGO_LOG": r"%{SYSLOGTIMESTAMP:timestamp} \[%{WORD:component}\] %{GREEDYDATA:message}",
    "MONGO_QUERY": r"\{ .*? \}",
    "MONGO_WORDDASH": r"\b[\w-]+\b",
    "MONGO_SLOWQUERY": (
        r"%{WORD} %{MONGO_WORDDASH:database}\.%{MONGO_WORDDASH:collection} %{WORD}: %{MONGO_QUERY:query} %{WORD}:%{NONNEGINT:ntoreturn}"
        r" %{WORD}:%{NONNEGINT:ntoskip} %{WORD}:%{NONNEGINT:nscanned}.*nreturned:%{NONNEGINT:nreturned}.* (?<duration>\d+)ms"
    ),
    "MONGO3_SEVERITY": r"\w",
    "MONGO3_COMPONENT": r"(?:%{WORD}|-)",
    "MONGO3_LOG": (
        r"%{TIMESTAMP_ISO8601:timestamp} %{MONGO3_SEVERITY:severity} %{MONGO3_COMPONENT:component}%{SPACE}(?:\[%{DATA:context}\])?"
        r" %{GREEDYDATA:message}"
    ),
    "SYSLOGPAMSESSION": (
        r"%{SYSLOGBASE} %{WORD:pam_module}\(%{DATA:pam_caller}\): session %{WORD:pam_session_state} for user %{USERNAME:username}"
        r"(?:\(uid=\d+\))?(?: by %{GREEDYDATA:pam_by})?"
    ),
}

_EXIM: Final = {
    "EXIM_MSGID": r"(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4})",
    "EXIM_FLAGS": r"(?:<=|[=>*-]>|\*\*|==)",
    "EXIM_DATE": r"%{YEAR:exim_year}-%{MONTHNUM:exim_month}-%{MONTHDAY:exim_day} %{TIME:exim_time}",
    "EXIM_PID": r"\[%{POSINT}\]",
    "EXIM_QT": r"(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?",
    "EXIM_EXCLUDE_TERMS": (
        r"(?:Message is frozen|(?:Start|End) queue run| Warning: | retry time not reached | no (?:IP address|host name) found for"
        r" (?:IP address|host) | unexpected disconnection while reading SMTP command | no immediate delivery: |another process is handling"
        r" this message)"
    ),
    "EXIM_REMOTE_HOST": (
        r"H=(?:(?<remote_hostname>[^\s(\[]+) )?(?:\((?<remote_heloname>[^)\s]+)\) )?\[%{IP:remote_host}\](?::%{POSINT:remote_port})?"
    ),
    "EXIM_INTERFACE": r"I=\[%{IP:exim_interface}\](?::%{NUMBER:exim_interface_port})?",
    "EXIM_PROTOCOL": r"P=%{NOTSPACE:protocol}",
    "EXIM_MSG_SIZE": r"S=%{NUMBER:exim_msg_size}",
    "EXIM_HEADER_ID": r"id=%{NOTSPACE:exim_header_id}",
    "EXIM_SUBJECT": r"T=%{QS:exim_subject}",
    "EXIM_UNKNOWN_FIELD": r"[A-Za-z0-9]{1,4}=%{NOTSPACE}",
    "EXIM_NAMED_FIELDS": (
        r"(?: (?:%{EXIM_REMOTE_HOST}|%{EXIM_INTERFACE}|%{EXIM_PROTOCOL}|%{EXIM_MSG_SIZE}|%{EXIM_HEADER_ID}|%{EXIM_SUBJECT}"
        r"|%{EXIM_UNKNOWN_FIELD}))*"
    ),
    "EXIM_MESSAGE_ARRIVAL": (
        r"%{EXIM_DATE:timestamp} (?:%{EXIM_PID} )?%{EXIM_MSGID:exim_msgid} (?<exim_flags><=) (?:(?<exim_status>[a-z:]) )?"
        r"%{EMAILADDRESS:exim_sender_email}%{EXIM_NAMED_FIELDS}(?: for %{EMAILADDRESS:exim_recipient_email})?"
    ),
    "EXIM": r"%{EXIM_MESSAGE_ARRIVAL}",
}

_RUBY: Final = {
    "RUBY_LOGLEVEL": r"(?:DEBUG|FATAL|ERROR|WARN|INFO)",
    "RUBY_LOGGER": (
        r"[DFEWI], \[%{TIMESTAMP_ISO8601:timestamp} #%{POSINT:pid}\] *%{RUBY_LOGLEVEL:loglevel} -- +%{DATA:progname}: %{GREEDYDATA:message}"
    ),
    "RUUID": r"[0-9A-Fa-f]{32}",
    "RCONTROLLER": r"(?<controller>[^#\s]+)#(?<action>\w+)",
    "RAILS3HEAD": (
        r'Started %{WORD:verb} "%{URIPATHPARAM:request}" for %{IPORHOST:clientip} at '
        r"(?<timestamp>%{YEAR}-%{MONTHNUM}-%{MONTHDAY} %{HOUR}:%{MINUTE}:%{SECOND} %{ISO8601_TIMEZONE})"
    ),
    "RPROCESSING": r"\W*Processing by %{RCONTROLLER} as (?<format>\S+)(?:\W*Parameters: \{%{DATA:params}\}\W*)?",
    "RAILS3PROFILE": (
        r"(?:\(Views: %{NUMBER:viewms}ms \| ActiveRecord: %{NUMBER:activerecordms}ms|\(ActiveRecord: %{NUMBER:activerecordms}ms)?"
    ),
    "RAILS3FOOT": r"Completed %{NUMBER:response}%{DATA} in %{NUMBER:totalms}ms %{RAILS3PROFILE}%{GREEDYDATA}",
    "RAILS3": r"%{RAILS3HEAD}(?:%{RPROCESSING})?(?<context>(?:[^\n]*\n)*?)(?:%{RAILS3FOOT})?",
    "MAVEN_VERSION": r"(?:\d+\.){0,2}(?:\*|\d+)(?:[.-](?:RELEASE|SNAPSHOT))?",
    "MCOLLECTIVE": r"., \[%{TIMESTAMP_ISO8601:timestamp} #%{POSINT:pid}\]%{SPACE}%{LOGLEVEL:event_level}",
    "MCOLLECTIVEAUDIT": r"%{TIMESTAMP_ISO8601:timestamp}:",
}

_BRO: Final = {
    "BRO_FIELD": r"[^\t]*",
    "BRO_HTTP": _tabs(
        *("ts:NUMBER", "uid:NOTSPACE", "orig_h:IP", "orig_p:INT", "resp_h:IP", "resp_p:INT", "trans_depth:INT", "method", "domain", "uri"),
        *("referrer", "user_agent", "request_body_len:NUMBER", "response_body_len:NUMBER", "status_code", "status_msg", "info_code"),
        *("info_msg", "filename", "bro_tags", "username", "password", "proxied", "orig_fuids", "orig_mime_types", "resp_fuids"),
        "resp_mime_types",
    ),
    "BRO_DNS": _tabs(
        *("ts:NUMBER", "uid:NOTSPACE", "orig_h:IP", "orig_p:INT", "resp_h:IP", "resp_p:INT", "proto:WORD", "trans_id:INT", "query"),
        *(
            "qclass",
            "qclass_name",
            "qtype",
            "qtype_name",
            "rcode",
            "rcode_name",
            "AA",
            "TC",
            "RD",
            "RA",
            "Z",
            "answers",
            "TTLs",
            "rejected",
        ),
    ),
    "BRO_CONN": _tabs(
        *("ts:NUMBER", "uid:NOTSPACE", "orig_h:IP", "orig_p:INT", "resp_h:IP", "resp_p:INT", "proto:WORD", "service", "duration:NUMBER"),
        *("orig_bytes:NUMBER", "resp_bytes:NUMBER", "conn_state", "local_orig", "missed_bytes", "history", "orig_pkts", "orig_ip_bytes"),
        *("resp_pkts", "resp_ip_bytes", "tunnel_parents"),
    ),
    "BRO_FILES": _tabs(
        *("ts:NUMBER", "fuid:NOTSPACE", "tx_hosts:IP", "rx_hosts:IP", "conn_uids:NOTSPACE", "source", "depth", "analyzers", "mime_type"),
        *("filename", "duration", "local_orig", "is_orig", "seen_bytes", "total_bytes", "missing_bytes", "overflow_bytes", "timedout"),
        *("parent_fuid", "md5", "sha1", "sha256", "extracted"),
    ),
}

_NAGIOS_LINES: Final[Mapping[str, Iterable[str]]] = {
    "CURRENT_SERVICE_STATE": ("hostname", "service", "state", "statetype", "statecode", "message"),
    "CURRENT_HOST_STATE": ("hostname", "state", "statetype", "statecode", "message"),
    "SERVICE_NOTIFICATION": ("notifyname", "hostname", "service", "state", "contact", "message"),
    "HOST_NOTIFICATION": ("notifyname", "hostname", "state", "contact", "message"),
    "SERVICE_ALERT": ("hostname", "service", "state", "statelevel", "attempt", "message"),
    "HOST_ALERT": ("hostname", "state", "statelevel", "attempt", "message"),
    "SERVICE_FLAPPING_ALERT": ("hostname", "service", "state", "message"),
    "HOST_FLAPPING_ALERT": ("hostname", "state", "message"),
    "SERVICE_DOWNTIME_ALERT": ("hostname", "service", "state", "comment"),
    "HOST_DOWNTIME_ALERT": ("hostname", "state", "comment"),
    "PASSIVE_SERVICE_CHECK": ("hostname", "service", "state", "comment"),
    "PASSIVE_HOST_CHECK": ("hostname", "state", "comment"),
    "SERVICE_EVENT_HANDLER": ("hostname", "service", "state", "statelevel", "event_handler_name"),
    "HOST_EVENT_HANDLER": ("hostname", "state", "statelevel", "event_handler_name"),
    "TIMEPERIOD_TRANSITION": ("service", "unknown1", "unknown2"),
}
_NAGIOS_COMMANDS: Final[Mapping[str, Iterable[str]]] = {
    "DISABLE_SVC_CHECK": ("hostname", "service"),
    "ENABLE_SVC_CHECK": ("hostname", "service"),
    "DISABLE_HOST_CHECK": ("hostname",),
    "ENABLE_HOST_CHECK": ("hostname",),
    "PROCESS_SERVICE_CHECK_RESULT": ("hostname", "service", "state", "check_result"),
    "PROCESS_HOST_CHECK_RESULT": ("hostname", "state", "check_result"),
    "DISABLE_HOST_SVC_NOTIFICATIONS": ("hostname",),
    "ENABLE_HOST_SVC_NOTIFICATIONS": ("hostname",),
    "DISABLE_HOST_NOTIFICATIONS": ("hostname",),
    "ENABLE_HOST_NOTIFICATIONS": ("hostname",),
    "DISABLE_SVC_NOTIFICATIONS": ("hostname", "service"),
    "ENABLE_SVC_NOTIFICATIONS": ("hostname", "service"),
}
_DOWNTIME: Final = (
    r"%{NAGIOS_TYPE_EXTERNAL_COMMAND:nagios_type}: %{NAGIOS_EC_SCHEDULE_HOST_DOWNTIME:nagios_command};(?<nagios_hostname>[^;]*);"
    r"%{NUMBER:nagios_start_time};%{NUMBER:nagios_end_time};%{NUMBER:nagios_fixed};%{NUMBER:nagios_trigger_id};%{NUMBER:nagios_duration};"
    r"(?<author>[^;]*);%{GREEDYDATA:comment}"
)


def _fields(names: Iterable[str]) -> str:
    """Fields between semicolons; the last one is the rest of the line."""
    *others, last = names
    return "".join(f"(?<nagios_{name}>[^;]*);" for name in others) + f"%{{GREEDYDATA:nagios_{last}}}"


def _nagios() -> dict[str, str]:
    commands = (*_NAGIOS_COMMANDS, "SCHEDULE_HOST_DOWNTIME", "SCHEDULE_SERVICE_DOWNTIME")
    made = {"NAGIOSTIME": r"\[%{NUMBER:nagios_epoch}\]", "NAGIOS_WARNING": r"Warning:%{SPACE}%{GREEDYDATA:nagios_message}"}
    made |= {f"NAGIOS_TYPE_{name}": name.replace("_", " ") for name in (*_NAGIOS_LINES, "EXTERNAL_COMMAND")}
    made |= {f"NAGIOS_EC_{name}": name for name in commands}
    made |= {f"NAGIOS_{name}": f"%{{NAGIOS_TYPE_{name}:nagios_type}}: {_fields(fields)}" for name, fields in _NAGIOS_LINES.items()}
    command = "%{NAGIOS_TYPE_EXTERNAL_COMMAND:nagios_type}: %{NAGIOS_EC_"
    made |= {f"NAGIOS_EC_LINE_{name}": f"{command}{name}:nagios_command}};{_fields(fields)}" for name, fields in _NAGIOS_COMMANDS.items()}
    made["NAGIOS_EC_LINE_SCHEDULE_HOST_DOWNTIME"] = _DOWNTIME
    lines = ["NAGIOS_WARNING", *(f"NAGIOS_{name}" for name in _NAGIOS_LINES), "NAGIOS_EC_LINE_SCHEDULE_HOST_DOWNTIME"]
    lines += [f"NAGIOS_EC_LINE_{name}" for name in _NAGIOS_COMMANDS]
    return {**made, "NAGIOSLOGLINE": f"%{{NAGIOSTIME}} {_any_of(lines)}"}


_VOLUME: Final = r'"%{BACULA_VOLUME:volume}"'
_DEVICE: Final = r'"%{BACULA_DEVICE:device}" \(%{BACULA_DEVICEPATH}\)'
_DAY: Final = r"%{MONTHDAY}-%{MONTH}-%{YEAR} %{HOUR}:%{MINUTE}"
_PEER: Final = r"(?:Client: %{BACULA_HOST:client}|Storage daemon) on %{HOSTNAME}:%{POSINT}\. ERR=%{GREEDYDATA:berror}"
_BACULA_LINES: Final = {
    "MAX_CAPACITY": rf"User defined maximum volume capacity %{{BACULA_CAPACITY}} exceeded on device {_DEVICE}",
    "END_VOLUME": rf"End of medium on Volume {_VOLUME} Bytes=%{{BACULA_CAPACITY}} Blocks=%{{BACULA_CAPACITY}} at {_DAY}\.",
    "NEW_VOLUME": rf"Created new Volume {_VOLUME} in catalog\.",
    "NEW_LABEL": rf"Labeled new Volume {_VOLUME} on device {_DEVICE}\.",
    "WROTE_LABEL": rf"Wrote label to prelabeled Volume {_VOLUME} on device {_DEVICE}",
    "NEW_MOUNT": rf"New volume {_VOLUME} mounted on device {_DEVICE} at {_DAY}\.",
    "NOOPEN": r"\s+Cannot open %{DATA}: ERR=%{GREEDYDATA:berror}",
    "NOOPENDIR": r"\s+Could not open directory %{DATA}: ERR=%{GREEDYDATA:berror}",
    "NOSTAT": r"\s+Could not stat %{DATA}: ERR=%{GREEDYDATA:berror}",
    "NOJOBS": rf"There are no more Jobs associated with Volume {_VOLUME}\. Marking it purged\.",
    "ALL_RECORDS_PRUNED": rf'All records pruned from Volume {_VOLUME}; marking it "Purged"',
    "BEGIN_PRUNE_JOBS": r"Begin pruning Jobs older than %{INT} months? %{INT} days? ?\.",
    "BEGIN_PRUNE_FILES": r"Begin pruning Files\.",
    "PRUNED_JOBS": r"Pruned %{INT} Jobs? for client %{BACULA_HOST:client} from catalog\.",
    "PRUNED_FILES": r"Pruned Files from %{INT} Jobs? for client %{BACULA_HOST:client} from catalog\.",
    "ENDPRUNE": r"End auto prune\.",
    "STARTJOB": r"Start Backup JobId %{INT}, Job=%{BACULA_JOB:job}",
    "STARTRESTORE": r"Start Restore Job %{BACULA_JOB:job}",
    "USEDEVICE": r'Using Device "%{BACULA_DEVICE:device}"',
    "DIFF_FS": r"\s+%{UNIXPATH} is a different filesystem\. Will not descend from %{UNIXPATH} into it\.",
    "JOBEND": r"Job write elapsed time = %{DATA:elapsed}, Transfer rate = %{NUMBER} [KMG]? ?Bytes/second",
    "NOPRUNE_JOBS": r"No Jobs found to prune\.",
    "NOPRUNE_FILES": r"No Files found to prune\.",
    "VOLUME_PREVWRITTEN": rf"Volume {_VOLUME} previously written, moving to end of data\.",
    "READYAPPEND": rf"Ready to append to end of Volume {_VOLUME} size=%{{INT}}",
    "CANCELLING": r"Cancelling duplicate JobId=%{INT}\.",
    "MARKCANCEL": r"JobId %{INT}, Job %{BACULA_JOB:job} marked to be canceled\.",
    "CLIENT_RBJ": r'shell command: run ClientRunBeforeJob "%{GREEDYDATA:runjob}"',
    "VSS": r"(?:Generate )?VSS(?: Writer)?",
    "MAXSTART": r"Fatal error: Job canceled because max start delay time exceeded\.",
    "DUPLICATE": r"Fatal error: JobId %{INT:duplicate} already running\. Duplicate job not allowed\.",
    "NOJOBSTAT": r"Fatal error: No Job status returned from FD\.",
    "FATAL_CONN": rf"Fatal error: bsock\.c:\d+ Unable to connect to {_PEER}",
    "NO_CONNECT": rf"Warning: bsock\.c:\d+ Could not connect to {_PEER}",
    "NO_AUTH": r"Fatal error: Unable to authenticate with File daemon at %{HOSTNAME}\. Possible causes:",
    "NOSUIT": r"No prior or suitable Full backup found in catalog\. Doing FULL backup\.",
    "NOPRIOR": r"No prior Full backup Job record found\.",
    "JOB": r"(?:Error: )?Bacula %{BACULA_HOST} %{BACULA_VERSION} \(%{BACULA_VERSION}\):",
}
_BACULA: Final = {
    "BACULA_TIMESTAMP": r"%{MONTHDAY}-%{MONTH} %{HOUR}:%{MINUTE}",
    "BACULA_HOST": r"[a-zA-Z0-9-]+",
    "BACULA_VOLUME": r"%{USER}",
    "BACULA_DEVICE": r"%{USER}",
    "BACULA_DEVICEPATH": r"%{UNIXPATH}",
    "BACULA_CAPACITY": r"\d{1,3}(?:,\d{3})*",
    "BACULA_VERSION": r"%{USER}",
    "BACULA_JOB": r"%{USER}",
    **{f"BACULA_LOG_{name}": pattern for name, pattern in _BACULA_LINES.items()},
    "BACULA_LOGLINE": (
        r"%{BACULA_TIMESTAMP:bts} %{BACULA_HOST:hostname} JobId %{INT:jobid}: " + _any_of(f"BACULA_LOG_{name}" for name in _BACULA_LINES)
    ),
}

PROGRAMS: Final[dict[str, str]] = {**_HAPROXY, **_SERVERS, **_EXIM, **_RUBY, **_BRO, **_nagios(), **_BACULA}
