"""The names of `processor_grok` for whole lines of programs and devices: what they make of lines as these write them."""

# ruff: noqa: E501 - a table is read row by row

import pytest

from tailrace.processors.grok.definitions import DEFINITIONS
from tailrace.processors.grok.devices import DEVICES
from tailrace.processors.grok.programs import PROGRAMS

NAMES_ELSEWHERE = """
BACULA_LOGLINE BIND9 BRO_HTTP BRO_DNS BRO_CONN BRO_FILES EXIM EXIM_FLAGS EXIM_QT EXIM_EXCLUDE_TERMS NETSCREENSESSIONLOG CISCO_TAGGED_SYSLOG CISCOTAG
CISCO_INTERVAL CISCO_XLATE_TYPE SHOREWALL SFW2 HAPROXYTIME HAPROXYHTTPBASE HAPROXYHTTP HAPROXYTCP HTTPDUSER HTTPD_COMMONLOG HTTPD_COMBINEDLOG
HTTPD20_ERRORLOG HTTPD24_ERRORLOG HTTPD_ERRORLOG COMMONAPACHELOG COMBINEDAPACHELOG JAVATHREAD CATALINALOG TOMCATLOG RT_FLOW1 RT_FLOW2 RT_FLOW3
SYSLOGPAMSESSION CRONLOG SYSLOGLINE SYSLOG5424LINE MAVEN_VERSION MCOLLECTIVE MCOLLECTIVEAUDIT MONGO_LOG MONGO_SLOWQUERY MONGO3_LOG NAGIOSLOGLINE
NAGIOS_EC_SCHEDULE_SERVICE_DOWNTIME POSTGRESQL RUUID RAILS3 REDISLOG REDISMONLOG RUBY_LOGGER SQUID3 CISCOFW104001 CISCOFW104004 CISCOFW105009
CISCOFW106001 CISCOFW106006_106007_106010 CISCOFW106014 CISCOFW106015 CISCOFW106021 CISCOFW106023 CISCOFW106100 CISCOFW106100_2_3 CISCOFW110002
CISCOFW302010 CISCOFW302013_302014_302015_302016 CISCOFW302020_302021 CISCOFW304001 CISCOFW305011 CISCOFW313001_313004_313008 CISCOFW313005
CISCOFW321001 CISCOFW402117 CISCOFW402119 CISCOFW419001 CISCOFW419002 CISCOFW500004 CISCOFW602303_602304
CISCOFW710001_710002_710003_710005_710006 CISCOFW713172 CISCOFW733100
"""
HAPROXY = (
    'Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- '
    '1/1/1/1/0 0/0 {1wt.eu|10.1.1.1|en|http://a/|Mozilla} {text/html|gzip|no-cache|-} "GET /index.html HTTP/1.1"'
)  # fmt: skip
TCP = "Feb  6 12:12:56 localhost haproxy[14387]: 10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0"
EXIM = (
    "2026-05-03 12:00:01 [42] 1XBvR0-000fuj-EM <= ann@example.org H=mail.example.org (helo) [192.0.2.1]:41000 I=[192.0.2.2]:25 P=esmtps S=2140 "
    'id=a@b T="A subject" for bob@example.net'
)
SLOW = (
    "query shop.orders query: { a: 1 } ntoreturn:0 ntoskip:0 nscanned:1500 keyUpdates:0 locks(micros) r:120000 nreturned:3 reslen:20 150ms"
)
SHOREWALL = (
    "May  3 12:00:01 gate kernel: Shorewall:net2fw:DROP:IN=eth0 OUT= MAC=00:11:22:33:44:55:66:77:88:99:aa:bb:08:00 SRC=203.0.113.7 DST=192.0.2.1 "
    "LEN=60 TOS=0x00 PREC=0x00 TTL=49 ID=4242 DF PROTO=TCP SPT=40000 DPT=22 WINDOW=1"
)
SUSE = (
    "May  3 12:00:01 gate kernel: SFW2-INext-DROP-DEFLT IN=eth0 OUT= MAC=00:11:22:33:44:55:66:77:88:99:aa:bb:08:00 SRC=203.0.113.7 DST=192.0.2.1 "
    "LEN=60 TTL=49 PROTO=TCP SPT=40000 DPT=22 WINDOW=1"
)
NETSCREEN = (
    'May  3 12:00:01 fw 192.0.2.1: NetScreen device_id=fw1  [Root]system-notification-00257(traffic): start_time="2026-05-03 12:00:00" duration=1 '
    "policy_id=7 service=http proto=6 src zone=Trust dst zone=Untrust action=Permit sent=100 rcvd=200 src=10.0.0.7 dst=203.0.113.7 src_port=40000 "
    "dst_port=80 src-xlated ip=192.0.2.1 port=41000 dst-xlated ip=203.0.113.7 port=80 session_id=9 reason=Close - TCP FIN"
)
FLOW = "10.0.0.7/40000->203.0.113.7/80 junos-http 192.0.2.1/41000->203.0.113.7/80 r1 None 6 p1 trust untrust 42"
TABS = {
    "BRO_HTTP": ["1.5", "C1", "10.0.0.7", "40000", "203.0.113.7", "80", "1", "GET", "example.org", "/", *["-"] * 2, "0", "512", "200", *["-"] * 12],
    "BRO_DNS": ["1.5", "C1", "10.0.0.7", "40000", "192.0.2.53", "53", "udp", "7", "example.org", *["-"] * 14],
    "BRO_CONN": ["1.5", "C1", "10.0.0.7", "40000", "192.0.2.53", "53", "udp", "dns", "0.1", "40", "80", *["-"] * 9],
    "BRO_FILES": ["1.5", "F1", "10.0.0.7", "192.0.2.53", "C1", "HTTP", *["-"] * 17],
}  # fmt: skip

LINES = [
    ("HAPROXYHTTP", HAPROXY, {"client_ip": "10.0.1.2", "backend_name": "static", "time_duration": "109", "http_verb": "GET", "http_request": "/index.html", "request_header_host": "1wt.eu", "response_header_last_modified": "-", "haproxy_milliseconds": "655", "termination_state": "----"}),
    ("HAPROXYHTTP", HAPROXY.partition(" {")[0] + ' "<BADREQ>"', {"http_status_code": "200", "backend_queue": "0"}),
    ("HAPROXYTCP", TCP, {"server_name": "srv1", "time_duration": "5007", "bytes_read": "212", "retries": "3", "program": "haproxy", "pid": "14387"}),
    ("HTTPD_ERRORLOG", "[Sun May 03 12:00:01 2026] [error] [client 10.0.0.7] no file", {"loglevel": "error", "clientip": "10.0.0.7", "message": "no file"}),
    ("SQUID3", "1525344856.899  12 10.0.0.7 TCP_MISS/200 512 GET http://example.org/a - HIER_DIRECT/203.0.113.7 text/html", {"duration": "12", "cache_result": "TCP_MISS", "url": "http://example.org/a", "server": "203.0.113.7", "content_type": "text/html"}),
    ("BIND9", "03-May-2026 12:00:01.123 queries: info: client @0x7f1 10.0.0.7#40000 (example.org): query: example.org IN A +E(0) (192.0.2.53)", {"clientip": "10.0.0.7", "query": "example.org", "dns": "192.0.2.53"}),
    ("POSTGRESQL", "05/03/2026 12:00:01 UTC ann c1 42", {"user_id": "ann", "connection_id": "c1", "pid": "42"}),
    ("REDISMONLOG", '1339518083.107412 [0 127.0.0.1:60866] "keys" "*"', {"database": "0", "client": "127.0.0.1", "port": "60866", "command": "keys", "params": '"*"'}),
    ("MONGO_LOG", "May  3 12:00:01 [conn1] end connection", {"component": "conn1", "message": "end connection"}),
    ("MONGO_SLOWQUERY", SLOW, {"database": "shop", "collection": "orders", "query": "{ a: 1 }", "nscanned": "1500", "nreturned": "3", "duration": "150"}),
    ("MONGO3_LOG", "2026-05-03T12:00:01.000+0200 I NETWORK  [conn7] end connection", {"severity": "I", "component": "NETWORK", "context": "conn7", "message": "end connection"}),
    ("SYSLOGPAMSESSION", "May  3 12:00:01 web-1 sshd[42]: pam_unix(sshd:session): session opened for user ann(uid=1000) by (uid=0)", {"pam_module": "pam_unix", "pam_caller": "sshd:session", "pam_session_state": "opened", "username": "ann", "pam_by": "(uid=0)"}),
    ("EXIM", EXIM, {"exim_msgid": "1XBvR0-000fuj-EM", "exim_flags": "<=", "exim_sender_email": "ann@example.org", "remote_hostname": "mail.example.org", "remote_heloname": "helo", "remote_host": "192.0.2.1", "protocol": "esmtps", "exim_subject": '"A subject"', "exim_recipient_email": "bob@example.net"}),
    ("RUBY_LOGGER", "I, [2026-05-03T12:00:01.123456 #42]  INFO -- app: ready", {"pid": "42", "loglevel": "INFO", "progname": "app", "message": "ready"}),
    ("RAILS3", 'Started GET "/a?b=1" for 10.0.0.7 at 2026-05-03 12:00:01 +0200\nProcessing by HomeController#index as HTML\nRendered x\nCompleted 200 OK in 12ms (Views: 5.5ms | ActiveRecord: 1.2ms)', {"verb": "GET", "controller": "HomeController", "action": "index", "format": "HTML", "response": "200", "totalms": "12", "viewms": "5.5"}),
    ("MCOLLECTIVE", "I, [2026-05-03T12:00:01 #42]  INFO", {"pid": "42", "event_level": "INFO"}),
    ("NAGIOSLOGLINE", "[1427925600] SERVICE ALERT: web-1;HTTP;CRITICAL;HARD;4;refused", {"nagios_epoch": "1427925600", "nagios_type": "SERVICE ALERT", "nagios_service": "HTTP", "nagios_attempt": "4", "nagios_message": "refused"}),
    ("NAGIOSLOGLINE", "[1427925600] EXTERNAL COMMAND: PROCESS_SERVICE_CHECK_RESULT;web-1;HTTP;0;OK - 1 ms;x", {"nagios_command": "PROCESS_SERVICE_CHECK_RESULT", "nagios_hostname": "web-1", "nagios_state": "0", "nagios_check_result": "OK - 1 ms;x"}),
    ("NAGIOSLOGLINE", "[1427925600] EXTERNAL COMMAND: SCHEDULE_HOST_DOWNTIME;web-1;1;2;1;0;3600;ann;new disk", {"nagios_start_time": "1", "nagios_duration": "3600", "author": "ann", "comment": "new disk"}),
    ("BACULA_LOGLINE", '03-May 12:00 dir-1 JobId 7: New volume "V1" mounted on device "D1" (/dev/nst0) at 03-May-2026 12:00.', {"jobid": "7", "volume": "V1", "device": "D1"}),
    ("BACULA_LOGLINE", "03-May 12:00 dir-1 JobId 7: Fatal error: bsock.c:133 Unable to connect to Client: web-1 on web-1:9102. ERR=refused", {"client": "web-1", "berror": "refused"}),
    *((name, "\t".join(fields), {}) for name, fields in TABS.items()),
    ("CISCO_TAGGED_SYSLOG", "<166>May  3 2026 12:00:01 fw : %ASA-6-302013:", {"syslog_pri": "166", "sysloghost": "fw", "ciscotag": "ASA-6-302013"}),
    ("CISCOFW104001", "(Primary) Switching to ACTIVE - mate failed", {"switch_reason": "mate failed"}),
    ("CISCOFW106001", "Inbound TCP connection denied from 10.0.0.7/40000 to 192.0.2.1/22 flags SYN on interface outside", {"direction": "Inbound", "action": "denied", "src_port": "40000", "interface": "outside"}),
    ("CISCOFW106023", 'Deny tcp src outside:203.0.113.7/40000(ann) dst inside:10.0.0.7/22 by access-group "out_in" [0x0, 0x1]', {"src_interface": "outside", "src_ip": "203.0.113.7", "src_fwuser": "ann", "dst_port": "22", "policy_id": "out_in", "hashcode2": "0x1"}),
    ("CISCOFW106100", "access-list inside permitted tcp inside/10.0.0.7(40000) -> outside/203.0.113.7(80) hit-cnt 1 first hit [0x0, 0x1]", {"policy_id": "inside", "dst_ip": "203.0.113.7", "interval": "first hit"}),
    ("CISCOFW302013_302014_302015_302016", "Teardown TCP connection 7 for outside:203.0.113.7/80 to inside:10.0.0.7/40000 duration 0:00:10 bytes 512 TCP FINs", {"connection_id": "7", "duration": "0:00:10", "bytes": "512", "reason": "TCP FINs"}),
    ("CISCOFW302013_302014_302015_302016", "Built outbound UDP connection 7 for outside:203.0.113.7/53 (203.0.113.7/53) to inside:10.0.0.7/40000 (192.0.2.1/40000)", {"direction": "outbound", "dst_mapped_ip": "192.0.2.1"}),
    ("CISCOFW302020_302021", "Built inbound ICMP connection for faddr 203.0.113.7/0 gaddr 192.0.2.1/1 laddr 10.0.0.7/1", {"icmp_code_xlated": "1", "src_ip": "10.0.0.7"}),
    ("CISCOFW305011", "Built dynamic TCP translation from inside:10.0.0.7/40000 to outside:192.0.2.1/41000", {"xlate_type": "dynamic", "src_xlated_port": "41000"}),
    ("CISCOFW313005", "No matching connection for ICMP error message: icmp src outside:203.0.113.7 dst inside:10.0.0.7 (type 3, code 3) on outside interface.  Original IP payload: udp src 10.0.0.7/53 dst 203.0.113.7/40000", {"reason": "No matching connection", "err_dst_ip": "10.0.0.7", "orig_dst_port": "40000"}),
    ("CISCOFW733100", "[ Scanning] drop rate-1 exceeded. Current burst rate is 5 per second, max configured rate is 10; Current average rate is 6 per second, max configured rate is 5; Cumulative total count is 3900", {"drop_type": "Scanning", "drop_total_count": "3900"}),
    ("NETSCREENSESSIONLOG", NETSCREEN, {"device_id": "fw1", "action": "Permit", "dst_xlated_port": "80", "reason": "Close - TCP FIN"}),
    ("RT_FLOW1", f"RT_FLOW_SESSION_CLOSE: TCP FIN: {FLOW} 12(512) 10(1024) 3 UNKNOWN", {"close-reason": "TCP FIN", "session-id": "42", "sent": "512", "elapsed-time": "3"}),
    ("RT_FLOW2", f"RT_FLOW_SESSION_CREATE: session created {FLOW} N/A", {"nat-src-ip": "192.0.2.1", "to-zone": "untrust"}),
    ("RT_FLOW3", "RT_FLOW_SESSION_DENY: session denied 10.0.0.7/40000->203.0.113.7/80 junos-http 6(0) p1 trust untrust N/A", {"policy-name": "p1", "protocol-id": "6"}),
    ("SHOREWALL", SHOREWALL, {"nf_host": "gate", "nf_action1": "net2fw", "nf_action2": "DROP", "nf_src_mac": "66:77:88:99:aa:bb", "nf_src_ip": "203.0.113.7", "nf_dst_port": "22"}),
    ("SFW2", SUSE, {"nf_action": "DROP-DEFLT", "nf_dst_mac": "00:11:22:33:44:55", "nf_protocol": "TCP", "nf_dst_port": "22"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "line", "fields"), LINES)
def test_lines(run, name, line, fields):
    out = run("processor_grok", {"Match": [f"^(?<all>%{{{name}}})$"], "KeepSource": False}, line)
    assert out.failures == []
    assert {key: value for key, value in dict(out.events[0]).items() if key in fields} == fields


@pytest.mark.parametrize(("name", "fields"), TABS.items())
def test_every_column_between_tabs_has_its_name(run, name, fields):
    out = run("processor_grok", {"Match": [f"^%{{{name}}}$"], "KeepSource": False}, "\t".join(fields))
    assert [value for _, value in out.events[0]] == fields


def test_names_that_configs_elsewhere_use_are_known():
    assert set(NAMES_ELSEWHERE.split()) - set(DEFINITIONS) == set()
    assert len(DEFINITIONS) > len(PROGRAMS) + len(DEVICES), "none of them is named twice"
