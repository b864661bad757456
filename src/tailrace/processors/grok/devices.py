r"""Grok names for what network devices and firewalls write: Cisco ASA, NetScreen, Junos, Shorewall, SuSE.

Names and fields are those that configs elsewhere use; the patterns are our own, in the dialect of docs/reference/patterns.md.
"""

from typing import Final


def _ends(one: str, before: str, between: str) -> str:
    """Both ends of a connection, the second one like the first; `@` stands for `src` and `dst`."""
    return before + one.replace("@", "src") + between + one.replace("@", "dst")


_UNIT: Final = r"\((?:Primary|Secondary)\)"
_INTERFACE: Final = r"[Ii]nterface %{GREEDYDATA:interface_name}"
_USER: Final = r"(?:\(%{DATA:@_fwuser}\))?"
_ADDRESS: Final = r"%{IP:@_ip}/%{INT:@_port}"
_AT_INTERFACE: Final = r"%{DATA:@_interface}:%{IP:@_ip}/%{INT:@_port}"
_MAPPED: Final = r"(?: \(%{IP:@_mapped_ip}/%{INT:@_mapped_port}\))?"
_GUARDED: Final = r"%{DATA:@_interface}:(?<@_ip>[^\s/(]+)(?:/%{INT:@_port})?"
_LISTED: Final = r"%{DATA:@_interface}/%{IP:@_ip}\(%{INT:@_port}\)"
_HASHES: Final = r"\[%{DATA:hashcode1}, %{DATA:hashcode2}\]"
_ACTION: Final = r"%{CISCO_ACTION:action} %{WORD:protocol}"
_ICMP: Final = r"\(type %{INT:icmp_type}, code %{INT:icmp_code}\)"
_LOST: Final = r"%{CISCO_REASON:reason} for %{WORD:protocol}"

_ASA: Final = {
    "104001": _UNIT + r" Switching to ACTIVE - %{GREEDYDATA:switch_reason}",
    "104002": _UNIT + r" Switching to STANDBY - %{GREEDYDATA:switch_reason}",
    "104003": _UNIT + r" Switching to FAILED\.",
    "104004": _UNIT + r" Switching to OK\.",
    "105003": _UNIT + r" Monitoring on " + _INTERFACE + " waiting",
    "105004": _UNIT + r" Monitoring on " + _INTERFACE + " normal",
    "105005": _UNIT + r" Lost Failover communications with mate on " + _INTERFACE,
    "105008": _UNIT + r" Testing " + _INTERFACE,
    "105009": _UNIT + r" Testing on " + _INTERFACE + " (?:Passed|Failed)",
    "106001": (
        r"%{CISCO_DIRECTION:direction} %{WORD:protocol} connection %{CISCO_ACTION:action} "
        + _ends(_ADDRESS, "from ", " to ")
        + r" flags %{GREEDYDATA:tcp_flags} on interface %{GREEDYDATA:interface}"
    ),
    "106006_106007_106010": (
        r"%{CISCO_ACTION:action} %{CISCO_DIRECTION:direction} %{WORD:protocol} "
        + _ends(_ADDRESS + _USER, "(?:from|src) ", " (?:to|dst) ")
        + r" (?:on interface %{DATA:interface}|due to %{CISCO_REASON:reason})"
    ),
    "106014": (
        r"%{CISCO_ACTION:action} %{CISCO_DIRECTION:direction} %{WORD:protocol} "
        + _ends(r"%{DATA:@_interface}:%{IP:@_ip}" + _USER, "src ", " dst ")
        + f" {_ICMP}"
    ),
    "106015": (
        _ACTION
        + r" \(%{DATA:policy_id}\) "
        + _ends(_ADDRESS, "from ", " to ")
        + r" flags %{DATA:tcp_flags} +on interface %{GREEDYDATA:interface}"
    ),
    "106021": _ACTION + r" reverse path check from %{IP:src_ip} to %{IP:dst_ip} on interface %{GREEDYDATA:interface}",
    "106023": (
        r"%{CISCO_ACTION:action}(?: protocol)? %{WORD:protocol} "
        + _ends(_GUARDED + _USER, "src ", " dst ")
        + f"(?: {_ICMP})?"
        + r' by access-group "?(?<policy_id>[^"\s]*)"? '
        + _HASHES
    ),
    "106100": (
        r"access-list %{NOTSPACE:policy_id} "
        + _ACTION
        + _ends(_LISTED + _USER, " ", " -> ")
        + r" hit-cnt %{INT:hit_count} %{CISCO_INTERVAL:interval} "
        + _HASHES
    ),
    "106100_2_3": (
        r"access-list %{NOTSPACE:policy_id} "
        + _ACTION
        + r" for user '%{DATA:src_fwuser}'"
        + _ends(_LISTED, " ", " -> ")
        + r" hit-cnt %{INT:hit_count} %{CISCO_INTERVAL:interval} "
        + _HASHES
    ),
    "110002": _LOST + r" from %{DATA:src_interface}:%{IP:src_ip}/%{INT:src_port} to %{IP:dst_ip}/%{INT:dst_port}",
    "302010": r"%{INT:connection_count} in use, %{INT:connection_count_max} most used",
    "302013_302014_302015_302016": (
        r"%{CISCO_ACTION:action}(?: %{CISCO_DIRECTION:direction})? %{WORD:protocol} connection %{INT:connection_id} "
        + _ends(_AT_INTERFACE + _MAPPED + _USER, "for ", " to ")
        + r"(?: duration %{TIME:duration} bytes %{INT:bytes})?(?: %{CISCO_REASON:reason})?(?: \(%{DATA:user}\))?"
    ),
    "302020_302021": (
        r"%{CISCO_ACTION:action}(?: %{CISCO_DIRECTION:direction})? %{WORD:protocol} connection for faddr %{IP:dst_ip}/%{INT:icmp_seq_num}"
        r"(?:\(%{DATA:fwuser}\))? gaddr %{IP:src_xlated_ip}/%{INT:icmp_code_xlated} laddr"
        r" %{IP:src_ip}/%{INT:icmp_code}(?: \(%{DATA:user}\))?"
    ),
    "304001": r"%{IP:src_ip}(?:\(%{DATA:src_fwuser}\))? Accessed URL %{IP:dst_ip}:%{GREEDYDATA:dst_url}",
    "305011": (
        r"%{CISCO_ACTION:action} %{CISCO_XLATE_TYPE:xlate_type} %{WORD:protocol} translation from %{DATA:src_interface}:%{IP:src_ip}"
        r"(?:/%{INT:src_port})?(?:\(%{DATA:src_fwuser}\))? to %{DATA:src_xlated_interface}:%{IP:src_xlated_ip}/%{NOTSPACE:src_xlated_port}"
    ),
    "313001_313004_313008": (
        _ACTION + r" type=%{INT:icmp_type}, code=%{INT:icmp_code} from %{IP:src_ip} on interface %{NOTSPACE:interface}(?: to %{IP:dst_ip})?"
    ),
    "313005": (
        _LOST
        + r" error message: %{WORD:err_protocol} "
        + _ends(r"%{DATA:err_@_interface}:%{IP:err_@_ip}(?:\(%{DATA:err_@_fwuser}\))?", "src ", " dst ")
        + r" \(type %{INT:err_icmp_type}, code %{INT:err_icmp_code}\) on"
        r" %{NOTSPACE:interface} interface\. +Original IP payload: %{WORD:protocol} "
        + _ends(r"%{IP:orig_@_ip}/%{INT:orig_@_port}(?:\(%{DATA:orig_@_fwuser}\))?", "src ", " dst ")
    ),
    "321001": r"Resource '%{WORD:resource_name}' limit of %{POSINT:resource_limit} reached for system",
    "402117": r"%{WORD:protocol}: Received a non-IPSec packet \(protocol= %{WORD:orig_protocol}\) from %{IP:src_ip} to %{IP:dst_ip}",
    "402119": (
        r"%{WORD:protocol}: Received an %{WORD:orig_protocol} packet \(SPI= %{DATA:spi}, sequence number="
        r" %{DATA:seq_num}\) from %{IP:src_ip}"
        r" \(user= %{DATA:user}\) to %{IP:dst_ip} that failed anti-replay checking"
    ),
    "419001": _ACTION + " packet " + _ends(_AT_INTERFACE, "from ", " to ") + r", reason: %{GREEDYDATA:reason}",
    "419002": r"%{CISCO_REASON:reason}" + _ends(_AT_INTERFACE, " from ", " to ") + " with different initial sequence number",
    "500004": r"%{CISCO_REASON:reason} for protocol=%{WORD:protocol}, " + _ends(_ADDRESS, "from ", " to "),
    "602303_602304": (
        r"%{WORD:protocol}: An %{CISCO_DIRECTION:direction} %{GREEDYDATA:tunnel_type} SA \(SPI= %{DATA:spi}\) between %{IP:src_ip} and"
        r" %{IP:dst_ip} \(user= %{DATA:user}\) has been %{CISCO_ACTION:action}"
    ),
    "710001_710002_710003_710005_710006": (
        r"%{WORD:protocol} (?:request|access) %{CISCO_ACTION:action} from %{IP:src_ip}/%{INT:src_port} to"
        r" %{DATA:dst_interface}:%{IP:dst_ip}/%{INT:dst_port}"
    ),
    "713172": (
        r"Group = %{GREEDYDATA:group}, IP ="
        r" %{IP:src_ip}, Automatic NAT Detection Status:\s+Remote end\s*%{DATA:is_remote_natted}\s*behind a NAT"
        r" device\s+This\s+end\s*%{DATA:is_local_natted}\s*behind a NAT device"
    ),
    "733100": (
        r"\[\s*%{DATA:drop_type}\s*\] drop %{DATA:drop_rate_id} exceeded\. Current burst rate is"
        r" %{INT:drop_rate_current_burst} per second, max"
        r" configured rate is %{INT:drop_rate_max_burst}; Current average rate is"
        r" %{INT:drop_rate_current_avg} per second, max configured rate"
        r" is %{INT:drop_rate_max_avg}; Cumulative total count is %{INT:drop_total_count}"
    ),
}
_CISCO: Final = {
    "CISCOTIMESTAMP": r"%{MONTH} +%{MONTHDAY}(?: %{YEAR})? %{TIME}",
    "CISCOTAG": r"[A-Z0-9]+-%{INT}-[A-Z0-9_]+",
    "CISCO_TAGGED_SYSLOG": r"<%{POSINT:syslog_pri}>%{CISCOTIMESTAMP:timestamp}(?: %{SYSLOGHOST:sysloghost})? ?: %%{CISCOTAG:ciscotag}:",
    "CISCO_ACTION": (
        r"(?:Built|Teardown|Denied|Deny|denied by ACL|denied|requested|permitted|discarded|est-allowed|Dropping|created|deleted)"
    ),
    "CISCO_REASON": (
        r"(?:Duplicate TCP SYN|Failed to locate egress interface|Invalid transport field|No matching connection|DNS Response|DNS Query"
        r"|%{WORD}(?:\s+%{WORD})*)"
    ),
    "CISCO_DIRECTION": r"(?i:inbound|outbound)",
    "CISCO_INTERVAL": r"(?:first hit|%{INT}-second interval)",
    "CISCO_XLATE_TYPE": r"(?:static|dynamic)",
    **{f"CISCOFW{number}": pattern for number, pattern in _ASA.items()},
}

_FLOW: Final = r"%{IP:src-ip}/%{INT:src-port}->%{IP:dst-ip}/%{INT:dst-port} %{DATA:service}"
_TRANSLATED: Final = (
    r" %{IP:nat-src-ip}/%{INT:nat-src-port}->%{IP:nat-dst-ip}/%{INT:nat-dst-port} %{DATA:src-nat-rule-name} %{DATA:dst-nat-rule-name}"
    r" %{INT:protocol-id} %{DATA:policy-name} %{DATA:from-zone} %{DATA:to-zone} %{INT:session-id}"
)
_FIREWALLS: Final = {
    "NETSCREENSESSIONLOG": (
        r"%{SYSLOGTIMESTAMP:date} %{IPORHOST:device}"
        r" %{IPORHOST}: NetScreen device_id=%{WORD:device_id}%{DATA}: start_time=%{QUOTEDSTRING:start_time}"
        r" duration=%{INT:duration} policy_id=%{INT:policy_id} service=%{DATA:service} proto=%{INT:proto} src zone=%{WORD:src_zone}"
        r" dst zone=%{WORD:dst_zone} action=%{WORD:action} sent=%{INT:sent} rcvd=%{INT:rcvd} src=%{IPORHOST:src_ip} dst=%{IPORHOST:dst_ip}"
        r" src_port=%{INT:src_port} dst_port=%{INT:dst_port} src-xlated ip=%{IPORHOST:src_xlated_ip} port=%{INT:src_xlated_port}"
        r" dst-xlated ip=%{IPORHOST:dst_xlated_ip} port=%{INT:dst_xlated_port} session_id=%{INT:session_id} reason=%{GREEDYDATA:reason}"
    ),
    "RT_FLOW_EVENT": r"RT_FLOW_SESSION_(?:CREATE|CLOSE|DENY)",
    "RT_FLOW1": (
        r"%{RT_FLOW_EVENT:event}: %{DATA:close-reason}: " + _FLOW + _TRANSLATED + r" \d+\(%{DATA:sent}\) \d+\(%{DATA:received}\)"
        r" %{INT:elapsed-time} .*"
    ),
    "RT_FLOW2": r"%{RT_FLOW_EVENT:event}: session created " + _FLOW + _TRANSLATED + r" .*",
    "RT_FLOW3": (
        r"%{RT_FLOW_EVENT:event}: session denied "
        + _FLOW
        + r" %{INT:protocol-id}\(\d\) %{DATA:policy-name} %{DATA:from-zone} %{DATA:to-zone} .*"
    ),
    "SHOREWALL": (
        r"%{SYSLOGTIMESTAMP:timestamp} (?<nf_host>[\w.-]+) kernel:.*Shorewall:(?:%{WORD:nf_action1})?:(?:%{WORD:nf_action2})?.*"
        r"IN=(?:%{USERNAME:nf_in_interface})?.*(?:OUT= *MAC=%{COMMONMAC:nf_dst_mac}:(?:%{COMMONMAC:nf_src_mac})?|OUT="
        r"%{USERNAME:nf_out_interface})"
        r".*SRC=%{IPV4:nf_src_ip}.*DST=%{IPV4:nf_dst_ip}.*LEN=(?:%{WORD:nf_len})?.*TOS=(?:%{WORD:nf_tos})?.*PREC=(?:%{WORD:nf_prec})?"
        r".*TTL=(?:%{INT:nf_ttl})?.*ID=(?:%{INT:nf_id})?.*PROTO=(?:%{WORD:nf_protocol})?.*SPT=(?:%{INT:nf_src_port})?.*DPT=(?:"
        r"%{INT:nf_dst_port})?.*"
    ),
    "SFW2": (
        r"(?:%{SYSLOGTIMESTAMP:timestamp}|%{TIMESTAMP_ISO8601:timestamp})\s*%{HOSTNAME}\s*kernel\S+\s*(?:%{NAGIOSTIME}\s*)?SFW2-INext-"
        r"%{NOTSPACE:nf_action}\s*IN=%{USERNAME:nf_in_interface}.*OUT=(?:\s*%{USERNAME:nf_out_interface})?\s*MAC="
        r"(?:%{COMMONMAC:nf_dst_mac}:%{COMMONMAC:nf_src_mac}|\s*).*SRC=%{IP:nf_src_ip}\s*DST=%{IP:nf_dst_ip}.*PROTO=%{WORD:nf_protocol}"
        r"(?:.*SPT=%{INT:nf_src_port}.*DPT=%{INT:nf_dst_port}.*)?"
    ),
}

DEVICES: Final[dict[str, str]] = {**_CISCO, **_FIREWALLS}
